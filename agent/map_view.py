"""`branchlab map` as data and as a page for the terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from ..targets.tunable import Tunable
from .audit import AuditFinding
from .code_map import CodeMap, Role, Symbol

if TYPE_CHECKING:
    from rich.console import RenderableType

ROLES: tuple[Role, ...] = (
    "model", "loss", "optimizer", "data", "training_step", "loop", "evaluation", "metric", "prompt", "retrieval", "memory",
    "llm_call",
)  # fmt: skip


FINDING_KEYS = ("file", "line", "detector", "title", "rationale")


class Finding(Protocol):
    """What the map shows of a detector's finding."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def detector(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def rationale(self) -> str: ...


def map_json(
    code: CodeMap, tunables: Sequence[Tunable], findings: Sequence[Finding], audited: Sequence[AuditFinding] = ()
) -> dict[str, Any]:
    """The map as plain data with stable keys.

    `commit`; `files` (path, source: `cst`, `ast` or `unread`); `symbols` (name, kind, file, line, end_line, signature,
    roles, via: role to the way it came, source); `imports` (file, line, module, name, alias); `calls` (file, line, caller, callee, positional,
    keywords); `prompts` (file, line, symbol, text, fields); `tunables` (name, file, line, type, default, rule, low,
    high, log, choices); `findings` (file, line, detector, title, rationale); `audit` (question, severity, file, line,
    title, rationale, advice); `unread` (file, reason).
    """
    return {
        "commit": code.commit,
        "files": [{"path": file, "source": source} for file, source in _files(code)],
        "symbols": [
            asdict(symbol) | {"roles": sorted(symbol.roles), "via": dict(symbol.via)} for symbol in code.symbols
        ],
        "imports": [asdict(imported) for imported in code.imports],
        "calls": [asdict(call) | {"keywords": dict(call.keywords)} for call in code.calls],
        "prompts": [asdict(prompt) | {"fields": list(prompt.fields)} for prompt in code.prompts],
        "tunables": [asdict(one) | {"choices": list(one.choices) if one.choices else None} for one in tunables],
        "findings": [{key: getattr(finding, key) for key in FINDING_KEYS} for finding in findings],
        "audit": [asdict(finding) for finding in audited],
        "unread": [asdict(one) for one in code.unread],
    }


def render_map(
    code: CodeMap, tunables: Sequence[Tunable], findings: Sequence[Finding], audited: Sequence[AuditFinding] = ()
) -> "RenderableType":
    """Modules with their roles, the tree of models, tunables, findings, and what was not read.

    Text of the repository is shown as text: no markup in it has an effect.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(
            f"{code.commit[:12]}: {len(code.python_files)} Python files, {len(code.symbols)} symbols, {len(code.calls)} calls"
        ),
        _table(
            "Evaluator audit",
            ("severity", "place", "what", "what to do"),
            [(f.severity, f"{f.file}:{f.line}", f"{f.title}. {f.rationale}", f.advice) for f in audited],
        ),
        _roles_table(code),
        _model_tree(code),
        _tunables_table(tunables),
        _findings_table(findings),
    ]
    if code.prompts:
        parts.append(_table("Prompts", ("place", "symbol", "fields", "text"), [
            (f"{p.file}:{p.line}", p.symbol, ", ".join(p.fields), " ".join(p.text.split())[:60]) for p in code.prompts
        ]))  # fmt: skip
    if code.unread:
        parts.append(_table("Not read", ("file", "reason"), [(one.file, one.reason) for one in code.unread]))
    return Group(*parts)


def _files(code: CodeMap) -> Iterable[tuple[str, str]]:
    parsed = set(code.python_files)
    by_ast = {symbol.file for symbol in code.symbols} | {imported.file for imported in code.imports}
    for file in sorted(name for name in code.sources if name.endswith(".py")):
        yield file, "cst" if file in parsed else "ast" if file in by_ast else "unread"


def _roles_table(code: CodeMap) -> "RenderableType":
    rows = []
    for role in ROLES:
        for file, symbols in _by_file(code.with_role(role)).items():
            rows.append((role, file, ", ".join(_played_by(symbol, role) for symbol in symbols)))
    return _table("Roles", ("role", "file", "symbols"), rows)


def _played_by(symbol: Symbol, role: Role) -> str:
    name = symbol.name or f"line {symbol.line}-{symbol.end_line}"
    way = dict(symbol.via).get(role)
    return f"{name} (via {way})" if way else name


def _by_file(symbols: Iterable[Symbol]) -> dict[str, list[Symbol]]:
    found: dict[str, list[Symbol]] = {}
    for symbol in symbols:
        found.setdefault(symbol.file, []).append(symbol)
    return found


def _model_tree(code: CodeMap) -> "RenderableType":
    """Each model with the layers and other models its constructor makes."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text("Models", style="bold"))
    for model in code.with_role("model"):
        branch = tree.add(Text(_printable(f"{model.name}  {model.file}:{model.line}")))
        scope = f"{model.name}.__init__" if model.kind == "class" else model.name
        for call in code.calls:
            made = call.callee.rpartition(".")[2]
            if call.file == model.file and call.caller == scope and made[:1].isupper():
                arguments = ", ".join(_argument(key, text) for key, text in call.keywords.items())
                branch.add(Text(_printable(f"{made}({arguments})  :{call.line}"), style="dim"))
    return tree


def _argument(key: str, text: str) -> str:
    value = " ".join(text.split())[:40]
    return f"**{value}" if key == "**" else f"{key}={value}"


def _tunables_table(tunables: Sequence[Tunable]) -> "RenderableType":
    rows = [(one.name, str(one.line), repr(one.default), f"{_range(one)} ({one.rule})") for one in tunables]
    return _table("Tunables", ("name", "line", "default", "range and rule"), rows)


def _range(tunable: Tunable) -> str:
    if tunable.choices is not None:
        return ", ".join(str(choice) for choice in tunable.choices)
    return f"{tunable.low:g} to {tunable.high:g}{', log' if tunable.log else ''}"


def _findings_table(findings: Sequence[Finding]) -> "RenderableType":
    rows = [(one.detector, f"{one.file}:{one.line}", one.title, one.rationale) for one in findings]
    return _table("Findings", ("kind", "place", "what", "why"), rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        return Text(f"{title}: none", style="dim")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for index, column in enumerate(columns):
        longest = max(len(row[index]) for row in rows)
        table.add_column(column, overflow="fold", min_width=min(longest, 40) if index == 0 else None)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    return table


def _printable(text: str) -> str:
    """Repository text without control characters: it must not steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)

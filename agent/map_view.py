"""`branchlab map` as a page for the terminal."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..targets.tunable import Tunable
from .audit import AuditFinding
from .code_map import CodeMap, Role, Symbol, Unread
from .map_data import Finding, file_sources
from .model_tree import MAX_MODELS, Layer, drawn_models, model_trees
from .proposers.defects.searched import MAX_BYTES, searched

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

ROLES: tuple[Role, ...] = (
    "model", "loss", "optimizer", "data", "training_step", "loop", "evaluation", "metric", "prompt", "retrieval", "memory",
    "llm_call",
)  # fmt: skip
TITLES = {"training_step": "training loop", "loop": "runs the loop", "data": "data path", "llm_call": "language model"}
MAX_MODULES = 30
MAX_SYMBOLS = 12
"""Symbols of one role, in one file, and files of one role that are shown."""
MAX_PROMPTS = 40
MARKS = frozenset(
    "train eval zero_grad backward step clip_grad_norm_ clip_grad_value_ no_grad inference_mode autocast fit partial_fit "
    "train_on_batch state_dict save save_pretrained DataLoader train_test_split random_split load_dataset read_csv predict "
    "argmax accuracy_score f1_score roc_auc_score cross_entropy".split()
)
"""Calls that tell how a loop goes, shown with their lines."""


def render_map(
    code: CodeMap, tunables: Sequence[Tunable], findings: Sequence[Finding], audited: Sequence[AuditFinding] = ()
) -> "RenderableType":
    """Modules by relevance, roles (training loop, data path, evaluation, ...), the tree of models, tunables, findings,
    prompts, and what was not read.

    Text of the repository is shown as text: no markup in it has an effect.
    """
    from rich.console import Group

    parts: list[RenderableType] = [
        *_head(code),
        _table(
            "Evaluator audit",
            ("severity", "place", "what", "what to do"),
            [(f.severity, f"{f.file}:{f.line}", f"{f.title}. {f.rationale}", f.advice) for f in audited],
        ),
        _modules_table(code),
        _roles_table(code),
        _model_tree(code),
        _tunables_table(tunables),
        _findings_table(findings),
        *_not_searched(code),
    ]
    if code.prompts:
        rows = [
            (f"{p.file}:{p.line}", p.symbol, ", ".join(p.fields), " ".join(p.text.split())[:60]) for p in code.prompts
        ]
        parts.append(_table("Prompts", ("place", "symbol", "fields", "text"), _first(rows, MAX_PROMPTS)))
    if code.unread:
        parts.append(_table("Not read", ("file", "reason"), _unread_rows(code.unread)))
    return Group(*parts)


def _head(code: CodeMap) -> list["RenderableType"]:
    from rich.text import Text

    read = file_sources(code)
    by_cst = len(code.python_files)
    lines = [
        f"{code.commit[:12] or 'files as they lie there'}: {len(read)} Python files ({by_cst} read for editing), "
        f"{len(code.symbols)} symbols, {len(code.calls)} calls",
        *([f"read from {_some(code.entry)}"] if code.entry else []),
        *code.notes,
    ]
    return [Text(_printable(line)) for line in lines]


def _modules_table(code: CodeMap) -> "RenderableType":
    """The most relevant files, with what they hold."""
    sources, reached = file_sources(code), set(code.reached)
    roles: dict[str, set[str]] = {}
    for symbol in code.symbols:
        roles.setdefault(symbol.file, set()).update(symbol.roles)
    rows = [
        (
            file,
            f"{100 * share:.1f} %" if share >= 0.0005 else "",
            str(code.sources[file].count(b"\n")),
            sources[file] + ("" if file in reached else ", not imported"),
            ", ".join(TITLES.get(role, role) for role in ROLES if role in roles.get(file, ())),
        )
        for file, share in code.relevance.items()
    ]
    return _table("Modules", ("file", "relevance", "lines", "read by", "holds"), _first(rows, MAX_MODULES))


def _roles_table(code: CodeMap) -> "RenderableType":
    calls: dict[tuple[str, str], list[str]] = {}
    for call in code.calls:
        name = call.callee.rpartition(".")[2]
        if name in MARKS:
            calls.setdefault((call.file, call.caller), []).append(f"{name}:{call.line}")
    place = {file: number for number, file in enumerate(code.relevance)}
    rows: list[Sequence[str]] = []
    for role in ROLES:
        files = _by_file(code.with_role(role))
        order = sorted(files, key=lambda file: (place.get(file, len(place)), file))
        for file in order[:MAX_SYMBOLS]:
            names = [_played_by(s, role) for s in files[file]]
            does = [mark for s in files[file] for mark in calls.get((file, s.name), ())] if role in MARKED else []
            rows.append(
                (TITLES.get(role, role), file, _some(names, MAX_SYMBOLS), _some(list(dict.fromkeys(does)), MAX_SYMBOLS))
            )
        if len(order) > MAX_SYMBOLS:
            rows.append((TITLES.get(role, role), f"and {len(order) - MAX_SYMBOLS} more files", "", ""))
    return _table("Roles", ("role", "file", "symbols", "calls"), rows)


MARKED = ("training_step", "data", "evaluation")


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
    """Each model with its layers, their sizes and how many parameters they have, as far as the text says."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text("Models", style="bold"))
    for model in model_trees(code):
        branch = tree.add(Text(_printable(f"{model.name}  {model.file}:{model.line}  {_count(model)}")))
        _draw(branch, model)
    models = len(code.with_role("model"))
    if models > MAX_MODELS and len(drawn_models(code)) == MAX_MODELS:
        tree.add(Text(f"and more: {models} models were found, the {MAX_MODELS} most relevant are drawn", style="dim"))
    return tree


def _draw(branch: "Tree", layer: Layer) -> None:
    from rich.text import Text

    for part in layer.parts:
        times = "" if part.times == 1 else f"{part.times if part.times is not None else '?'} × "
        kind = "" if part.kind == part.name else part.kind
        inside = part.shape or part.arguments
        text = f"{part.name}: {times}{kind}({inside})" if not part.parts else f"{part.name}: {times}{kind}"
        _draw(branch.add(Text(_printable(f"{text}  :{part.line}  {_count(part)}"), style="dim")), part)


def _count(layer: Layer) -> str:
    if layer.parameters is not None:
        return f"{layer.parameters:,} parameters" if layer.parameters else ""
    return f"at least {layer.at_least:,} parameters" if layer.at_least else "parameters not in the text"


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


def _not_searched(code: CodeMap) -> list["RenderableType"]:
    from rich.text import Text

    looked_at = searched(code)
    left = len(code.relevance) - sum(file in code.relevance for file in looked_at)
    if not left or sum(len(code.sources[file]) for file in code.relevance) <= MAX_BYTES:
        return []
    return [
        Text(
            f"{left:,} files were not searched for defects: the {len(looked_at):,} most relevant were, {MAX_BYTES:,} bytes"
        )
    ]


def _unread_rows(unread: Sequence[Unread]) -> list[tuple[str, str]]:
    """Files by reason: a thousand files beyond one limit are one row."""
    reasons: dict[str, list[str]] = {}
    for one in unread:
        reasons.setdefault(one.reason, []).append(one.file)
    return [(_some(files), reason) for reason, files in reasons.items()]


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _first(rows: Sequence[Sequence[str]], most: int) -> list[Sequence[str]]:
    if len(rows) <= most:
        return list(rows)
    return [*rows[:most], (f"and {len(rows) - most:,} more", *[""] * (len(rows[0]) - 1))]


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

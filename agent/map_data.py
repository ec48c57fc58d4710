"""`branchlab --json map` as plain data; docs/map.md describes it key by key, and a test holds the two to each other."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TextIO

from ..targets.tunable import Tunable
from .audit import AuditFinding
from .code_map import CodeMap
from .model_tree import model_trees
from .proposers.defects.searched import searched

FINDING_KEYS = ("file", "line", "detector", "symbol", "title", "rationale", "confidence", "action")
Rows = Iterable[dict[str, Any]]


class Finding(Protocol):
    """What the map shows of a detector's finding."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def detector(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def rationale(self) -> str: ...
    @property
    def confidence(self) -> str: ...
    @property
    def action(self) -> str: ...


def map_json(
    code: CodeMap, tunables: Sequence[Tunable], findings: Sequence[Finding], audited: Sequence[AuditFinding] = ()
) -> dict[str, Any]:
    """The map as plain data with stable keys, the ones of docs/map.md."""
    parts = _parts(code, tunables, findings, audited)
    return {key: value if isinstance(value, str | list) else list(value) for key, value in parts}


def write_json(
    out: TextIO,
    code: CodeMap,
    tunables: Sequence[Tunable],
    findings: Sequence[Finding],
    audited: Sequence[AuditFinding] = (),
) -> None:
    """The same as one line of JSON, a row at a time: a large repository has hundreds of thousands of calls."""
    between = "{"
    for key, value in _parts(code, tunables, findings, audited):
        out.write(f"{between}{json.dumps(key)}: ")
        between = ", "
        if isinstance(value, str | list):
            out.write(json.dumps(value))
            continue
        comma = "["
        for row in value:
            out.write(comma + json.dumps(row))
            comma = ", "
        out.write("[]" if comma == "[" else "]")
    out.write("}\n")


def file_sources(code: CodeMap) -> dict[str, str]:
    """How each Python file was read: `cst`, `ast` or `unread`."""
    parsed = set(code.python_files)
    return {
        file: "cst" if file in parsed else "ast" if file in code.relevance else "unread"
        for file in sorted(code.sources)
        if file.endswith(".py")
    }


def _parts(
    code: CodeMap, tunables: Sequence[Tunable], findings: Sequence[Finding], audited: Sequence[AuditFinding]
) -> Iterator[tuple[str, str | list[str] | Rows]]:
    sources = file_sources(code)
    yield "commit", code.commit
    yield "entry", list(code.entry)
    yield "notes", list(code.notes)
    yield "files", _files(code, sources)
    yield (
        "symbols",
        (asdict(symbol) | {"roles": sorted(symbol.roles), "via": dict(symbol.via)} for symbol in code.symbols),
    )
    yield "imports", (asdict(one) | {"source": sources.get(one.file, "ast")} for one in code.imports)
    yield "calls", (
        {"file": call.file, "line": call.line, "caller": call.caller, "callee": call.callee, "positional": call.positional,
         "keywords": dict(call.keywords), "source": sources.get(call.file, "ast")}
        for call in code.calls
    )  # fmt: skip
    yield "models", (_plain(asdict(tree)) for tree in model_trees(code))
    yield "prompts", (asdict(prompt) | {"fields": list(prompt.fields)} for prompt in code.prompts)
    yield "tunables", (asdict(one) | {"choices": list(one.choices) if one.choices else None} for one in tunables)
    yield "findings", ({key: getattr(finding, key) for key in FINDING_KEYS} for finding in findings)
    yield "audit", (asdict(finding) for finding in audited)
    yield "unread", (asdict(one) for one in code.unread)


def _files(code: CodeMap, sources: dict[str, str]) -> Rows:
    reached, looked_at = set(code.reached), set(searched(code))
    for file, source in sources.items():
        yield {
            "path": file,
            "source": source,
            "lines": code.sources[file].count(b"\n"),
            "relevance": round(code.relevance.get(file, 0.0), 6),
            "reached": file in reached,
            "searched": source != "unread" and file in looked_at,
        }


def _plain(layer: dict[str, Any]) -> dict[str, Any]:
    return layer | {"parts": [_plain(part) for part in layer["parts"]]}

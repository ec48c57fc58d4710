"""What one file says, before files are put together. Two readers fill it: `ast_facts` for any file, `cst_facts` for
the files that may be edited. They must agree, and a test holds them to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any, Literal

from .code_map import Call, Import, Symbol

Level = Literal["ast", "cst"]
MAX_TEXT = 200
"""Characters kept of a signature or of a callee that is not a plain dotted name."""
MAX_VALUE = 2_000
"""Characters kept of the value of a keyword: calls in calls in calls would else be kept many times over."""
_NONE: Mapping[str, str] = {}
"""Most calls have no keywords, and a large repository has hundreds of thousands of calls."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal long enough to be a prompt; `{expression}` stands where an f-string has a field."""

    line: int
    symbol: str
    text: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileFacts:
    file: str
    source: Level
    symbols: tuple[Symbol, ...] = ()
    bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class name to its bases, import aliases resolved."""
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    """Import aliases resolved in the callee: `nn.Linear` reads `torch.nn.Linear`."""
    texts: tuple[Text, ...] = ()
    is_script: bool = False
    """Has an `if __name__ == "__main__"` guard."""
    returns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Function to the calls and tables its result comes from (`flows`), import aliases resolved. `ast` alone says so."""
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Module constant to the names in its display. `ast` alone says so."""
    decorators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class or function to what decorates it. `ast` alone says so."""

    def with_flows_of(self, other: "FileFacts") -> "FileFacts":
        """The same with what only the reading by `ast` finds."""
        return replace(self, returns=other.returns, tables=other.tables, decorators=other.decorators)


@dataclass(slots=True)
class Record:
    """The facts of a content, wherever it lies: plain rows that a file name turns into `FileFacts`.

    Relative imports and aliases are as written, for one content may stand in two places, and the record is kept by content.
    """

    symbols: list[tuple[str, str, int, int, str]] = field(default_factory=list)
    """Name, kind, first and last line, signature."""
    bases: dict[str, list[str]] = field(default_factory=dict)
    imports: list[tuple[int, int, str, str | None, str]] = field(default_factory=list)
    """Line, leading dots, module, name (None: the module itself), local name."""
    calls: list[tuple[int, str, str, int, Mapping[str, str]]] = field(default_factory=list)
    """Line, caller, callee, positional arguments, keywords."""
    texts: list[tuple[int, str, str, list[str]]] = field(default_factory=list)
    is_script: bool = False
    returns: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, list[str]] = field(default_factory=dict)
    decorators: dict[str, list[str]] = field(default_factory=dict)

    def dump(self) -> bytes:
        return json.dumps([getattr(self, name) for name in self.__slots__], separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> "Record":
        """The record that `dump` made these bytes of. Raises: ValueError, TypeError for other bytes."""
        body: list[Any] = json.loads(data)
        return cls(*body)

    def placed(self, file: str, source: Level) -> FileFacts:
        """The facts of the file of this name: relative imports made absolute, aliases resolved."""
        imports = tuple(
            Import(file, line, intern(absolute_module(file, module, level)), name and intern(name), intern(alias))
            for line, level, module, name, alias in self.imports
        )
        aliases = aliases_of(imports)
        return FileFacts(
            file,
            source,
            tuple(
                Symbol(intern(name), kind, file, line, end, signature, source=source)  # type: ignore[arg-type]
                for name, kind, line, end, signature in self.symbols
            ),
            {name: tuple(resolve(base, aliases) for base in bases) for name, bases in self.bases.items()},
            imports,
            tuple(
                Call(file, line, intern(caller), intern(resolve(callee, aliases)), positional, _shared(keywords))
                for line, caller, callee, positional, keywords in self.calls
            ),
            tuple(Text(line, symbol, text, tuple(fields)) for line, symbol, text, fields in self.texts),
            self.is_script,
            *(_resolved(names, aliases) for names in (self.returns, self.tables, self.decorators)),
        )


def _shared(keywords: Mapping[str, str]) -> Mapping[str, str]:
    """The same in less memory: a large repository says `dim=-1` ten thousand times."""
    return {intern(key): intern(value) for key, value in keywords.items()} if keywords else _NONE


def _resolved(names: Mapping[str, list[str]], aliases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(intern(_resolve_lookup(one, aliases)) for one in its) for name, its in names.items()}


def _resolve_lookup(name: str, aliases: Mapping[str, str]) -> str:
    """As `resolve`, for `models[]` and `reply.` too."""
    bare = name.rstrip("[].")
    return resolve(bare, aliases) + name[len(bare) :]


def aliases_of(imports: tuple[Import, ...]) -> dict[str, str]:
    """Local name to the dotted name it stands for."""
    return {
        imported.alias: f"{imported.module}.{imported.name}" if imported.name else imported.module
        for imported in imports
        if imported.alias != "*" and (imported.name or "." not in imported.module or imported.alias != _head(imported))
    }


def _head(imported: Import) -> str:
    """`import a.b` binds `a`, which already reads as itself."""
    return imported.module.partition(".")[0]


def resolve(dotted: str, aliases: Mapping[str, str]) -> str:
    head, dot, rest = dotted.partition(".")
    return aliases.get(head, head) + dot + rest


def short(text: str) -> str:
    """`text` on one line, cut to what a table can show."""
    return " ".join(text.split())[:MAX_TEXT]


def package_of(file: str) -> list[str]:
    """Dotted parts of the package a file lives in: `src/a/b.py` is in `src.a`."""
    return file.split("/")[:-1]


def absolute_module(file: str, module: str, level: int) -> str:
    """`module` with `level` leading dots, seen from `file`: dotted from the repository's root. Dots that lead out of
    the repository are kept as dots, so that the name resolves to nothing."""
    if level == 0:
        return module
    package = package_of(file)
    if level - 1 > len(package):
        return "." * level + module
    return ".".join([*package[: len(package) - (level - 1)], *([module] if module else [])])

"""What one file says, before files are put together. Two readers fill it: `ast_facts` for any file, `cst_facts` for
the files that may be edited. They must agree, and a test holds them to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .code_map import Call, Import, Symbol

MAX_TEXT = 200
"""Characters kept of a signature or of a callee that is not a plain dotted name."""


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
    source: Literal["ast", "cst"]
    symbols: tuple[Symbol, ...] = ()
    bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class name to its bases, import aliases resolved."""
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    texts: tuple[Text, ...] = ()
    is_script: bool = False
    """Has an `if __name__ == "__main__"` guard."""

    def resolved(self) -> "FileFacts":
        """The same with import aliases resolved in callees and bases: `nn.Linear` becomes `torch.nn.Linear`."""
        aliases = aliases_of(self.imports)
        return replace(
            self,
            calls=tuple(replace(call, callee=resolve(call.callee, aliases)) for call in self.calls),
            bases={name: tuple(resolve(base, aliases) for base in bases) for name, bases in self.bases.items()},
        )


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

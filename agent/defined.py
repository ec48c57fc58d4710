"""From a name in one file to the class, function or constant it stands for, through imports and re-exports."""

from collections import defaultdict
from collections.abc import Iterable

from .code_map import Import, Symbol
from .imports import Modules

MAX_HOPS = 6
"""Re-exports followed: `from .a import *` in a package's `__init__`, and so on."""


class Definitions:
    """The symbols of a repository, found by the dotted names that code calls them."""

    def __init__(self, symbols: Iterable[Symbol], imports: Iterable[Import], modules: Modules) -> None:
        self._symbols = {(symbol.file, symbol.name): symbol for symbol in symbols}
        self._imports: dict[str, dict[str, list[Import]]] = defaultdict(lambda: defaultdict(list))
        """By file and by local name."""
        for imported in imports:
            self._imports[imported.file][imported.alias].append(imported)
        self._modules = modules
        self._known: dict[tuple[str, str], Symbol | None] = {}

    def find(self, dotted: str, file: str) -> Symbol | None:
        """What `dotted`, import aliases resolved, means in `file`; None when it is not of this repository."""
        key = (file, dotted)
        if key not in self._known:
            plain = dotted.replace(".", "").replace("_", "").isalnum()
            self._known[key] = self._find(dotted, file, MAX_HOPS) if plain else None
        return self._known[key]

    def file_of(self, dotted: str, file: str) -> str | None:
        """The file of the module that `dotted` means in `file`."""
        return self._modules.file_of(dotted, file)

    def _find(self, dotted: str, file: str, hops: int) -> Symbol | None:
        if (file, dotted) in self._symbols:
            return self._symbols[file, dotted]
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            if home := self._modules.file_of(".".join(parts[:cut]), file):
                return self._inside(home, ".".join(parts[cut:]), hops)
        return self._re_exported(dotted, file, hops) if hops else None

    def _inside(self, home: str, name: str, hops: int) -> Symbol | None:
        if (home, name) in self._symbols:
            return self._symbols[home, name]
        return self._re_exported(name, home, hops) if hops else None

    def _re_exported(self, name: str, file: str, hops: int) -> Symbol | None:
        """What `name` means in `file` by one of its imports."""
        head, dot, rest = name.partition(".")
        known = self._imports.get(file, {})
        for imported in (*known.get(head, ()), *known.get("*", ())):
            wanted = name if imported.name == "*" else f"{imported.name}{dot}{rest}" if imported.name else rest
            home = self._modules.file_of(imported.module, file)
            if home and home != file and (found := self._inside(home, wanted, hops - 1)):
                return found
        return None

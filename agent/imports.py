"""From an import to the file it means, and from entry points to every file they reach."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from .code_map import Import


class Modules:
    """The Python files of a repository, by the dotted names code may call them."""

    def __init__(self, files: Iterable[str], roots: Sequence[str] = ()) -> None:
        """`roots`: folders put on PYTHONPATH, beside the repository itself, its `src` and each importer's own folder."""
        self._files = {file for file in files if file.endswith(".py")}
        self._roots = ("", "src", *(root.strip("/") for root in roots))

    def file_of(self, dotted: str, importer: str) -> str | None:
        """The file that `dotted` means when `importer` says it; None when it is not of this repository."""
        path = dotted.replace(".", "/")
        folder = importer.rpartition("/")[0]
        for root in (folder, *self._roots):
            base = f"{root}/{path}" if root else path
            for candidate in (f"{base}.py", f"{base}/__init__.py"):
                if candidate in self._files:
                    return candidate
        return None

    def reached_by(self, imported: Import) -> tuple[str, ...]:
        """Files one import runs: the module, the submodule it names, and the packages on the way."""
        dotted = [imported.module]
        if imported.name:
            dotted.append(f"{imported.module}.{imported.name}" if imported.module else imported.name)
        packages = [".".join(parts[:n]) for parts in [imported.module.split(".")] for n in range(1, len(parts))]
        found = (self.file_of(name, imported.file) for name in [*packages, *dotted] if name)
        return tuple(dict.fromkeys(file for file in found if file))


def closure(entry: Iterable[str], imports: Mapping[str, Sequence[Import]], modules: Modules) -> tuple[str, ...]:
    """Files reached from `entry` by imports, nearest first, the entry files included."""
    queue = deque(dict.fromkeys(file for file in entry if file in imports))
    seen = dict.fromkeys(queue)
    while queue:
        for imported in imports[queue.popleft()]:
            for file in modules.reached_by(imported):
                if file not in seen and file in imports:
                    seen[file] = None
                    queue.append(file)
    return tuple(seen)

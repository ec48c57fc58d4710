"""What the names of a module stand for, and how an imported thing is spelled there."""

import libcst as cst

from ...targets.errors import OperatorError
from ..dotted import dotted_name


class ImportedNames:
    """Import aliases of one module: `import torch.nn.functional as F` makes `F.relu` stand for its full name."""

    def __init__(self, module: cst.Module) -> None:
        self._full: dict[str, str] = {}
        for statement in module.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.Import):
                    self._add_import(small)
                elif isinstance(small, cst.ImportFrom):
                    self._add_from(small)

    def _add_import(self, node: cst.Import) -> None:
        for alias in node.names:
            full = dotted_name(alias.name)
            if alias.asname is not None:
                self._full[dotted_name(cst.ensure_type(alias.asname.name, cst.Name))] = full
            else:
                self._full[full.split(".")[0]] = full.split(".")[0]

    def _add_from(self, node: cst.ImportFrom) -> None:
        if isinstance(node.names, cst.ImportStar):
            return
        base = "." * len(node.relative) + (dotted_name(node.module) if node.module is not None else "")
        for alias in node.names:
            local = alias.asname.name if alias.asname is not None else alias.name
            self._full[dotted_name(cst.ensure_type(local, cst.Name))] = f"{base}.{dotted_name(alias.name)}"

    def full(self, node: cst.BaseExpression) -> str:
        """Full dotted name of a chain of names, aliases resolved; empty for anything else."""
        text = dotted_name(node)
        head, _, rest = text.partition(".")
        head = self._full.get(head, head)
        return f"{head}.{rest}" if rest else head

    def spell(self, name: str) -> str | None:
        """How `name` can be written with the imports that are there, shortest first; None when it cannot."""
        spellings = []
        for local, full in self._full.items():
            if name == full:
                spellings.append(local)
            elif name.startswith(f"{full}."):
                spellings.append(local + name[len(full) :])
        return min(spellings, key=lambda text: (text.count("."), len(text)), default=None)


def require(module: cst.Module, name: str) -> str:
    """The spelling of `name` in `module`. OperatorError when nothing that is imported reaches it."""
    spelled = ImportedNames(module).spell(name)
    if spelled is None:
        raise OperatorError("the module imports nothing that reaches a name the edit needs", wanted=name)
    return spelled

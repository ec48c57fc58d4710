"""Module constants that an earlier edit left without a reader go."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import only, required
from .leftovers import single_target
from .module_place import loaded_names


class DropConstants:
    """Takes out the top-level assignments to `names`, comma-separated. The symbol is empty: the edit is the module's.

    OperatorError when the module still reads one of them, or does not define it.
    """

    name = "drop_constants"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "names")
        names = {name.strip() for name in required(args, "names").split(",")}
        if symbol:
            raise OperatorError("a constant is the module's own", wanted="an empty symbol", found=symbol)
        read = loaded_names(module)
        defined = [_target(line) for line in module.body]
        for name in sorted(names):
            if defined.count(name) != 1 or read.count(name) != 1:
                raise OperatorError("not a constant that is defined once and never read", found=name)
        body = [line for line in module.body if _target(line) not in names]
        return module.with_changes(body=body)


def _target(line: cst.BaseStatement) -> str | None:
    return single_target(line) if isinstance(line, cst.SimpleStatementLine) else None

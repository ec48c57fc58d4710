"""Arguments that name a constant of the module."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import required
from .leftovers import single_target


def defined_constant(module: cst.Module, args: Mapping[str, str], key: str) -> str:
    """The argument `key`, checked to be a name that the module assigns at its top. OperatorError when it does not."""
    name = required(args, key)
    assigned = {single_target(line) for line in module.body if isinstance(line, cst.SimpleStatementLine)}
    if name not in assigned:
        raise OperatorError("no such constant at the top of the module", wanted=name, where=key)
    return name

"""A model reads a normalised input with part of it dropped in training (Wu et al. 2016, Liang et al. 2018)."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .anchors import reads
from .arguments import only, required
from .constants import defined_constant
from .imported_names import require
from .module_place import find_definition, parameters


class CorruptInput:
    """Puts normalisation and dropout of the argument `input` at the start of a `forward` method.

    Argument `rate`: a constant of the module, the share of the input that is dropped.
    """

    name = "corrupt_input"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "input", "rate")
        name, rate = required(args, "input"), defined_constant(module, args, "rate")
        forward = find_definition(module, symbol)
        if not isinstance(forward, cst.FunctionDef) or name not in parameters(forward)[1:]:
            raise OperatorError("no such argument of a method", wanted=f"{symbol}({name})", where=self.name)
        if not isinstance(forward.body, cst.IndentedBlock):
            raise OperatorError("the method is written on one line", where=symbol)
        normalize = require(module, "torch.nn.functional.normalize")
        dropout = require(module, "torch.nn.functional.dropout")
        line = cst.parse_statement(f"{name} = {dropout}({normalize}({name}), {rate}, self.training)")
        body = list(forward.body.body)
        place = 1 if forward.get_docstring() is not None else 0
        if reads(body[place : place + 1]) == reads([line]):
            raise OperatorError("the input is corrupted already", where=symbol)
        body.insert(place, line)
        corrupted = forward.with_changes(body=forward.body.with_changes(body=body))
        return cst.ensure_type(module.deep_replace(forward, corrupted), cst.Module)

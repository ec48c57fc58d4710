"""An autoencoder over item vectors becomes an item-item map with a zero diagonal (EASE, Steck 2019)."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, only, required
from .constants import defined_constant
from .imported_names import require
from .module_place import find_definition, loaded_names, method, parameters

DOCSTRING = '"""Item-item map with a zero diagonal, computed in closed form (EASE, Steck 2019)."""'

INIT_BODY = """
def __init__(self):
    # Only the number of items shapes this model; the other arguments are there for the callers.
    super().__init__()
    self.item_item = {linear}({width}, {width}, bias=False)
    self.register_buffer("gram", {torch}.zeros({width}, {width}), persistent=False)
"""

FORWARD_BODY = """
def forward(self, {input}):
    return self.item_item({input})
"""

OBSERVE = """
@{torch}.no_grad()
def observe(self, rows: {torch}.Tensor) -> None:
    \"\"\"Adds rows of the interaction matrix to what the map will be computed from.\"\"\"
    self.gram += rows.T @ rows
"""

FIT = """
@{torch}.no_grad()
def fit_closed_form(self) -> None:
    \"\"\"The map that best restores each item of the observed rows from the other items.\"\"\"
    gram = self.gram.double()
    gram.diagonal().add_({ridge} * gram.diagonal().mean())
    inverse = {torch}.linalg.inv(gram)
    weights = -inverse / inverse.diagonal()
    weights.fill_diagonal_(0.0)
    self.item_item.weight.copy_(weights.T)
    self.gram.zero_()
"""


class ClosedFormModel:
    """Rewrites a model class: same constructor, same `forward`, plus `observe` and `fit_closed_form`.

    Arguments: `width`, the number of items, an expression over the constructor's parameters; `ridge`, a constant of
    the module: the regularisation in units of the mean item count, where 1.0 suits data of any size to begin with.
    """

    name = "closed_form_model"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "width", "ridge")
        width = required(args, "width")
        model = find_definition(module, symbol)
        if not isinstance(model, cst.ClassDef) or not isinstance(model.body, cst.IndentedBlock):
            raise OperatorError("not a class", where=symbol)
        init, forward = method(model, "__init__"), method(model, "forward")
        if init is None or forward is None or len(parameters(forward)) < 2:
            raise OperatorError("the class has no constructor or no forward with an input", where=symbol)
        if not set(loaded_names(expression(width))) <= set(parameters(init)):
            raise OperatorError("not computed from the constructor's parameters", found=width, where="width")
        words = {
            "ridge": defined_constant(module, args, "ridge"),
            "width": width,
            "input": parameters(forward)[1],
            "torch": require(module, "torch.zeros").removesuffix(".zeros"),
            "linear": require(module, "torch.nn.Linear"),
        }
        body = [
            cst.parse_statement(DOCSTRING),
            _with_body(init, INIT_BODY.format(**words)),
            _with_body(forward, FORWARD_BODY.format(**words)),
            _method(OBSERVE.format(**words)),
            _method(FIT.format(**words)),
        ]
        rewritten = model.with_changes(body=model.body.with_changes(body=body))
        return cst.ensure_type(module.deep_replace(model, rewritten), cst.Module)


def _with_body(function: cst.FunctionDef, text: str) -> cst.FunctionDef:
    written = _method(text)
    return function.with_changes(body=written.body, leading_lines=written.leading_lines)


def _method(text: str) -> cst.FunctionDef:
    written = cst.ensure_type(cst.parse_statement(text.strip()), cst.FunctionDef)
    return written.with_changes(leading_lines=[cst.EmptyLine(indent=False)])

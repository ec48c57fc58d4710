"""Squared or binary error of a reconstruction becomes the multinomial likelihood (Liang et al. 2018)."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, only, required
from .expressions import expressions_written
from .imported_names import require
from .leftovers import drop_unused_assignments
from .module_place import find_definition


class MultinomialLikelihood:
    """Replaces the expression `loss` inside a function by minus the log-likelihood of `target` under `output`.

    Arguments: `loss`, `output` and `target`, each the source text of an expression of that function.
    """

    name = "multinomial_likelihood"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "loss", "output", "target")
        loss, output, target = (required(args, name) for name in ("loss", "output", "target"))
        place = find_definition(module, symbol)
        found = expressions_written(module, place, loss)
        if len(found) != 1:
            raise OperatorError("the loss must be written once there", wanted=loss, found=f"{len(found)} times")
        log_softmax = require(module, "torch.nn.functional.log_softmax")
        expression(output), expression(target)
        likelihood = cst.parse_expression(f"-({log_softmax}({output}, dim=1) * {target}).sum(dim=1).mean()")
        changed = cst.ensure_type(module.deep_replace(found[0], likelihood), cst.Module)
        return drop_unused_assignments(changed, symbol, within=found[0])

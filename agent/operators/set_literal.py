"""Sets one literal of a Python file: what a tuner does, and what counts as tuning whoever does it."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from ..literal_values import parse_literal
from ..literals import Site, sites_in
from ..tree_walk import replaced
from ..tunables import judged


class SetLiteral:
    """`symbol`: a tunable's name after `FILE::`. `value`: the Python literal to put there, as text.

    A seed or anything else that would change the measurement is refused.
    """

    name = "set_literal"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        if set(args) != {"value"}:
            raise OperatorError(
                "wrong arguments", wanted="value", found=", ".join(sorted(args)) or "none", where=symbol
            )
        site = _find(module, symbol)
        node, value = parse_literal(args["value"])
        literal = judged(site, "")
        if literal.excluded:
            raise OperatorError("this is part of the measurement", found=literal.excluded, where=symbol)
        is_float = isinstance(site.value, float) or site.declared == "float"
        is_float = is_float or (literal.range is not None and literal.range.type == "float")
        if not _fits(value, site.value, is_float=is_float):
            wanted = "float" if is_float else type(site.value).__name__
            raise OperatorError("the literal has another type", wanted=wanted, found=args["value"], where=symbol)
        if node.value == site.node.value:  # type: ignore[attr-defined]
            raise OperatorError("nothing would change", found=args["value"], where=symbol)
        # The old node keeps its brackets and the blanks inside them; only its text is replaced.
        kept = node.with_changes(lpar=site.node.lpar, rpar=site.node.rpar)
        changed = replaced(module, site.node, kept)
        if not isinstance(changed, cst.Module):
            raise OperatorError("the literal could not be replaced", where=symbol)
        return changed


def _find(module: cst.Module, symbol: str) -> Site:
    sites = {site.key: site for site in sites_in(module)}
    if symbol not in sites:
        raise OperatorError("no such literal", wanted=symbol, found=", ".join(list(sites)[:8]) or "no literals")
    return sites[symbol]


def _fits(new: object, old: object, *, is_float: bool) -> bool:
    if isinstance(old, bool | str) or isinstance(new, bool | str):
        return type(new) is type(old)
    return is_float or isinstance(new, int)

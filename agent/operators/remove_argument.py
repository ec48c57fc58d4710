"""Takes an argument out of a call, or an element out of a list or tuple, such as the last layer of a Sequential."""

from collections.abc import Mapping, Sequence

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import normal_expression, nth, only, required
from .definitions import Place, edit_definition


class RemoveArgument:
    """Arguments: `argument` (the value as written, or `keyword=` for a keyword), `nth` if it repeats.

    `within` narrows the search to calls of that callee; without it list and tuple elements count too.
    """

    name = "remove_argument"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "argument", "within", "nth")
        wanted = required(args, "argument").strip()
        within = normal_expression(args["within"]) if "within" in args else ""

        def change(place: Place) -> Place | None:
            found = _holders(module, place, wanted, within)
            which = nth(args)
            if not found or (which or 1) > len(found):
                return None
            if which is None and len(found) > 1:
                raise OperatorError(f"{len(found)} places hold it; argument nth says which", found=wanted)
            holder, index = found[(which or 1) - 1]
            changed = place.deep_replace(holder, _without(holder, index))
            return changed if isinstance(changed, cst.Module | cst.FunctionDef | cst.ClassDef) else None

        return edit_definition(module, symbol, change)


Holder = cst.Call | cst.List | cst.Tuple


def _holders(module: cst.Module, place: Place, wanted: str, within: str) -> list[tuple[Holder, int]]:
    found: list[tuple[Holder, int]] = []

    class Collect(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            for index, part in enumerate(_parts(node)):
                if _is_wanted(module, part, wanted) and _is_within(module, node, within):
                    found.append((node, index))  # type: ignore[arg-type]
            return not (isinstance(place, cst.Module) and isinstance(node, cst.FunctionDef | cst.ClassDef))

    place.visit(Collect())
    return found


def _parts(node: cst.CSTNode) -> Sequence[cst.Arg | cst.BaseElement]:
    if isinstance(node, cst.Call):
        return node.args
    return node.elements if isinstance(node, cst.List | cst.Tuple) else ()


def _is_within(module: cst.Module, node: cst.CSTNode, within: str) -> bool:
    return not within or (isinstance(node, cst.Call) and normal_expression(module.code_for_node(node.func)) == within)


def _is_wanted(module: cst.Module, part: cst.Arg | cst.BaseElement, wanted: str) -> bool:
    keyword = part.keyword.value if isinstance(part, cst.Arg) and part.keyword is not None else ""
    if wanted.endswith("="):
        return keyword == wanted[:-1].strip()
    return not keyword and normal_expression(module.code_for_node(part.value)) == normal_expression(wanted)


def _without(holder: Holder, index: int) -> Holder:
    parts = list(_parts(holder))
    gone = parts.pop(index)
    if parts and index == len(parts):
        # The new last part ends as the old one did: with or without a comma, on its line.
        ending: dict[str, object] = {"comma": gone.comma}
        if isinstance(gone, cst.Arg):
            ending["whitespace_after_arg"] = gone.whitespace_after_arg
        if not (isinstance(holder, cst.Tuple) and len(parts) == 1):
            parts[-1] = parts[-1].with_changes(**ending)
    return holder.with_changes(**{"args" if isinstance(holder, cst.Call) else "elements": parts})

"""Writes one expression in place of another."""

import ast
from collections.abc import Mapping
from textwrap import dedent

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, normal_expression, nth, only, required
from .definitions import Place, edit_definition


class ReplaceExpression:
    """Arguments: `old`, `new`, and `nth` (from 1) or `nth` = `all` if `old` occurs more than once.

    `old` is matched in any spelling; calls, names and attributes alike, never part of one.
    """

    name = "replace_expression"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "old", "new", "nth")
        old, new = normal_expression(required(args, "old")), expression(required(args, "new"))
        if not old:
            raise OperatorError("argument 'old' is not an expression", found=args["old"])
        written = normal_expression(args["new"])
        if old == written:
            raise OperatorError("old and new are the same expression", found=old)
        which = None if args.get("nth") in (None, "all") else nth(args)

        def change(place: Place) -> Place | None:
            swap = _Swap(module, place, (old, written), _bracketed(new), which)
            changed = place.visit(swap)
            if not swap.found:
                return None
            if swap.inside and not swap.matched:
                raise OperatorError("the new expression stands there already", found=written)
            if swap.found > 1 and "nth" not in args:
                raise OperatorError(f"{swap.found} places read the same; argument nth says which", found=old)
            if which is not None and which > swap.found:
                return None
            plain = place.visit(_Swap(module, place, (old, written), new, which))
            if _same_tree(module, plain, changed):
                changed = plain
            return changed if isinstance(changed, cst.Module | cst.FunctionDef | cst.ClassDef) else None

        return edit_definition(module, symbol, change)


class _Swap(cst.CSTTransformer):
    """Writes `new` wherever the first of `texts` is read, but for what stands in a `new` already, the second of them."""

    def __init__(
        self, module: cst.Module, place: Place, texts: tuple[str, str], new: cst.BaseExpression, which: int | None
    ) -> None:
        super().__init__()
        self._module, self._place = module, place
        (old, self._written), self._new, self._which = texts, new, which
        self._old = old
        self._size = len(old.replace(" ", ""))
        self._matches: set[cst.CSTNode] = set()
        self._untouchable: set[cst.CSTNode] = set()
        self._around: list[cst.BaseExpression] = []
        self.found = 0
        self.inside = 0
        """Of those chosen, how many are part of a `new`, as after the same edit."""

    @property
    def matched(self) -> int:
        return len(self._matches)

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.BaseExpression):
            self._around.append(node)
        # A module's definitions are other symbols.
        if isinstance(self._place, cst.Module) and isinstance(node, cst.FunctionDef | cst.ClassDef):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._untouchable.add(node.name)
        elif isinstance(node, cst.Attribute):
            self._untouchable.add(node.attr)
        elif isinstance(node, cst.Arg | cst.Param) and (
            name := getattr(node, "keyword", None) or getattr(node, "name", None)
        ):
            self._untouchable.add(name)
        if isinstance(node, cst.BaseExpression) and node not in self._untouchable and self._reads_the_same(node):
            self.found += 1
            if self._which in (None, self.found) and self._is_written():
                self.inside += 1
            elif self._which in (None, self.found):
                self._matches.add(node)
            return False
        return True

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]
        if isinstance(original_node, cst.BaseExpression):
            self._around.pop()
        if original_node not in self._matches:
            return updated_node
        return self._new

    def _is_written(self) -> bool:
        texts = (self._module.code_for_node(node) for node in self._around[:-1])
        return any(normal_expression(text) == self._written for text in texts)

    def _reads_the_same(self, node: cst.BaseExpression) -> bool:
        text = self._module.code_for_node(node)
        # Cheap refusal first: normalising parses.
        return len(text) >= min(self._size, 3) - 2 and normal_expression(text) == self._old


def _same_tree(module: cst.Module, plain: object, bracketed: object) -> bool:
    """Whether the brackets can go: without them the code means the same."""
    dumps = []
    for node in (plain, bracketed):
        code = module.code_for_node(node) if isinstance(node, cst.CSTNode) else ""
        try:
            dumps.append(ast.dump(ast.parse(dedent(code))))
        except SyntaxError:
            return False
    return dumps[0] == dumps[1]


def _bracketed(node: cst.BaseExpression) -> cst.BaseExpression:
    """`a + b` may end up inside a product; names, calls and literals never need brackets."""
    plain = cst.Name | cst.Attribute | cst.Call | cst.Subscript | cst.SimpleString | cst.Integer | cst.Float | cst.List
    if isinstance(node, plain | cst.Tuple | cst.Dict) or getattr(node, "lpar", None):
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])

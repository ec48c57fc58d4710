"""Finds statements by what they say, not by where they stand: an edit made of anchors outlives a moved line."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent

import libcst as cst

from ...targets.errors import OperatorError
from .definitions import Place

Rewrite = Callable[[cst.BaseStatement], Sequence[cst.BaseStatement]]
Siblings = tuple[cst.CSTNode, Sequence[cst.BaseStatement], int]
"""What a statement stands in, the statements of that block, and its place among them."""
Refuse = Callable[[Siblings], None]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The first line of a statement in any spelling: `loss.backward()`, `for x, y in loader:`."""

    head: str
    nth: int | None = None

    @classmethod
    def of(cls, text: str, nth: int | None = None) -> "Anchor":
        """Raises: OperatorError when `text` is not one statement or the head of one."""
        head = head_of(text) or head_of(text.rstrip() + " pass")
        if not head:
            raise OperatorError("an anchor is one statement, or the first line of one", found=text)
        return cls(head, nth)

    def rewrite(self, place: Place, change: Rewrite, refuse: Refuse | None = None) -> Place | None:
        """`place` with the one matching statement replaced by what `change` gives; None when nothing matches.

        Raises:
            OperatorError: several statements match and `nth` does not choose one, or `refuse` raises it for where the
                statement stands, as when the edit was made before.
        """
        return rewrite_all([(self, change)], place, refuse)


def head_of(text: str) -> str:
    """First line of the only statement in `text`, in one spelling; empty when there is not exactly one."""
    try:
        parsed = ast.parse(dedent(text).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return head(parsed.body[0]) if len(parsed.body) == 1 else ""


def head(node: ast.stmt) -> str:
    """The anchor text of a statement: all of a simple one, the first line of a compound one."""
    text = ast.unparse(node)
    if isinstance(getattr(node, "body", None), list):
        lines = text.split("\n")
        # Decorators come first; the header is one line however it was wrapped.
        return next(line for line in lines if not line.startswith("@"))
    return text


def rewrite_all(changes: Sequence[tuple[Anchor, Rewrite]], place: Place, refuse: Refuse | None = None) -> Place | None:
    """Applies several changes in one pass; None unless each found its statement."""
    finder = _Finder(place)
    place.visit(finder)
    chosen: dict[cst.BaseStatement, Rewrite] = {}
    for anchor, change in changes:
        found = [node for node, heads in finder.statements if anchor.head in heads]
        if not found or (anchor.nth or 1) > len(found):
            return None
        if anchor.nth is None and len(found) > 1:
            raise OperatorError(f"{len(found)} statements read the same; argument nth says which", found=anchor.head)
        statement = found[(anchor.nth or 1) - 1]
        chosen[statement] = change
        if refuse is not None and statement in finder.siblings:
            refuse(finder.siblings[statement])
    if len(chosen) < len(changes):
        raise OperatorError("the same statement is named twice", found=changes[0][0].head)
    rewritten = place.visit(_Rewriter(chosen))
    return rewritten if isinstance(rewritten, cst.Module | cst.FunctionDef | cst.ClassDef) else None


def reads(statements: Sequence[cst.CSTNode]) -> list[str]:
    """Each statement in one spelling, comments and layout aside; what has no spelling of its own reads empty."""
    empty = cst.Module([])
    return [_normal(empty.code_for_node(one)) for one in statements]


def refuse_beside(new: Sequence[cst.BaseStatement], first: int, last: int) -> Refuse:
    """Refuses where `new` stands already, beginning between `first` and `last` statements from the one named."""

    def refuse(where: Siblings) -> None:
        _, body, index = where
        wanted = reads(new)
        for start in range(max(0, index + first), index + last + 1):
            if reads(body[start : start + len(new)]) == wanted:
                raise OperatorError("the statements stand there already", found=wanted[0])

    return refuse


def _normal(code: str) -> str:
    try:
        return ast.unparse(ast.parse(dedent(code).strip()))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


_NO_STATEMENTS = (cst.BaseExpression, cst.SimpleStatementLine, cst.EmptyLine, cst.TrailingWhitespace)
"""Inside these no statement stands; most nodes of a function do."""


class _Finder(cst.CSTVisitor):
    """Every statement of a place with its heads. A module's own statements only: its definitions are other symbols."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place
        self.statements: list[tuple[cst.BaseStatement, tuple[str, ...]]] = []
        self.siblings: dict[cst.BaseStatement, Siblings] = {}
        self._around: list[cst.CSTNode] = []

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._around.pop()

    def on_visit(self, node: cst.CSTNode) -> bool:
        self._around.append(node)
        if isinstance(node, cst.IndentedBlock | cst.Module):
            holder = self._around[-2] if len(self._around) > 1 else node
            self.siblings |= {one: (holder, node.body, index) for index, one in enumerate(node.body)}
        if isinstance(node, cst.BaseStatement) and node is not self._place:
            self.statements.append((node, _heads(node)))
        inner = isinstance(node, cst.FunctionDef | cst.ClassDef)
        return not (inner and isinstance(self._place, cst.Module)) and not isinstance(node, _NO_STATEMENTS)


@lru_cache(maxsize=4096)
def _heads(node: cst.BaseStatement) -> tuple[str, ...]:
    empty = cst.Module([])
    if isinstance(node, cst.SimpleStatementLine):
        return tuple(head_of(empty.code_for_node(small.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)))
                     for small in node.body)  # fmt: skip
    hollow: dict[str, object] = {"leading_lines": (), "body": cst.SimpleStatementSuite([cst.Pass()])}
    for name in ("orelse", "finalbody"):
        if hasattr(node, name):
            hollow[name] = None
    if isinstance(node, cst.Try | cst.TryStar):
        hollow |= {"handlers": (), "finalbody": cst.Finally(cst.SimpleStatementSuite([cst.Pass()]))}
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        hollow |= {"decorators": ()}
    if isinstance(node, cst.Match):
        return ()
    return (head_of(empty.code_for_node(node.with_changes(**hollow))),)


class _Rewriter(cst.CSTTransformer):
    def __init__(self, chosen: dict[cst.BaseStatement, Rewrite]) -> None:
        super().__init__()
        self._chosen = chosen

    def on_visit(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, _NO_STATEMENTS)

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.FlattenSentinel[cst.BaseStatement] | cst.RemovalSentinel:
        change = self._chosen.get(original_node) if isinstance(original_node, cst.BaseStatement) else None
        if change is None or not isinstance(updated_node, cst.BaseStatement):
            return _filled(updated_node)
        made = list(change(updated_node))
        return cst.FlattenSentinel(made) if made else cst.RemoveFromParent()


def _filled(node: cst.CSTNode) -> cst.CSTNode:
    """A block whose last statement went gets a `pass`."""
    if isinstance(node, cst.IndentedBlock) and not node.body:
        return node.with_changes(body=[cst.SimpleStatementLine([cst.Pass()])])
    return node

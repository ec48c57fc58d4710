"""A value target that goes on past the end of an episode: the end is unpacked and never used.

Why it hurts: the value of a terminal state is that of whatever comes next in the buffer; values drift upward, and
policies that end badly look as good as those that do not. Source: seen in public fix histories; Sutton & Barto 2018, 6.1.

    before                                              after
    s, a, r, s2, done = batch                           s, a, r, s2, done = batch
    target = r + gamma * q(s2).max(1).values            target = r + gamma * q(s2).max(1).values * (1 - done)

Not flagged: an end that anything reads, discounts that hold it already, and functions that are not given it.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function, words

_REWARD = frozenset({"reward", "rewards", "rew", "rews", "r"})
_DISCOUNT = frozenset({"gamma", "discount"})
_NEXT = frozenset({"next", "target", "max", "q", "value", "values", "v"})
_END = frozenset("done dones terminal terminals terminated terminateds not_done nonterminal nonterminals".split())
_MASKS = _END | {"mask", "masks", "not", "non", "final", "continues", "discounts"}


@dataclass(frozen=True, slots=True)
class BootstrapPastEnd:
    name: str = "bootstrap_past_end"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            targets = (
                list(_targets(function))
                if "gamma" in function.source.text or "discount" in function.source.text
                else []
            )
            end = _unused_end(function) if targets else ""
            for node, discounted in targets if end else ():
                source = function.source
                mask = end if end.startswith(("not", "non")) else f"(1 - {end})"
                yield Finding(
                    self.name,
                    source.path,
                    node.lineno,
                    function.name,
                    f"Stop the value target where {end} says so"[:72],
                    f"`{ast.unparse(node)[:80]}` adds the value of the next state also where `{end}` says there is none.",
                    (
                        function.replace(
                            node, source.spliced(node, discounted, f"{source.segment(discounted)} * {mask}")
                        ),
                    ),
                    confidence="high",
                )


def _said(node: ast.AST) -> set[str]:
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return {word for name in names for word in words(name)}


def _targets(function: Function) -> Iterator[tuple[ast.BinOp, ast.BinOp]]:
    """`reward + gamma * value_of_next`: the sum, and the discounted part."""
    for node in function.own:
        match node:
            case ast.BinOp(left=reward, op=ast.Add(), right=ast.BinOp(op=ast.Mult()) as discounted):
                pass
            case ast.BinOp(left=ast.BinOp(op=ast.Mult()) as discounted, op=ast.Add(), right=reward):
                pass
            case _:
                continue
        if not isinstance(reward, ast.Name | ast.Attribute | ast.Subscript) or not _said(reward) & _REWARD:
            continue
        said = _said(discounted)
        if said & _DISCOUNT and said & _NEXT and not said & _MASKS:
            yield node, discounted


def _unused_end(function: Function) -> str:
    """The name of an episode's end that the function is given, or unpacks, and never reads."""
    given = {name for name in function.parameters if name in _END}
    for node in function.own:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                elements = target.elts if isinstance(target, ast.Tuple) else [target]
                given |= {e.id for e in elements if isinstance(e, ast.Name) and e.id in _END}
    for name in sorted(given):
        reads = [
            n for n in function.everything if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        ]
        if not [n for n in reads if not _only_moves(n, name, function)]:
            return name
    return ""


def _only_moves(node: ast.Name, name: str, function: Function) -> bool:
    """`done = torch.tensor(done)`: a read that gives the same name."""
    statement = function.source.statement(node)
    return isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [name]

"""The last position is taken as the summary of a text, where shorter texts have padding.

Why it hurts: all but the longest text of a batch are summarised by a padding token, so embeddings and classes depend on
what else is in the batch. Source: seen in public fix histories of classifiers and embedders on decoders.

    before                                              after
    h = out.last_hidden_state[:, -1]                    h = out.last_hidden_state[
                                                            torch.arange(len(attention_mask)),
                                                            attention_mask.sum(dim=1) - 1]

Not flagged: padding on the left, or a padding side that is asked about, anywhere in the program; code that has no mask,
or that uses it to find the last token.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function

_MASK = "attention_mask"


@dataclass(frozen=True, slots=True)
class LastTokenIsPadding:
    name: str = "last_token_is_padding"

    def detect(self, program: Program) -> Iterable[Finding]:
        if any("padding_side" in source.text or "left_pad" in source.text for source in program.sources):
            return
        for function in program.functions:
            if "last_hidden_state" not in function.source.text or not _has_mask(function):
                continue
            for node in function.own:
                match node:
                    case ast.Subscript(
                        value=ast.Attribute(attr="last_hidden_state") as states,
                        slice=ast.Tuple(
                            elts=[
                                ast.Slice(lower=None, upper=None),
                                ast.UnaryOp(op=ast.USub(), operand=ast.Constant(1)),
                                *_,
                            ]
                        ),
                    ):
                        pass
                    case _:
                        continue
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    "Take the last token of each text, not the last position",
                    f"`{ast.unparse(node)[:60]}` is padding for every text but the longest of its batch.",
                    _edits(function, node, states),
                    confidence="medium",
                )


def _has_mask(function: Function) -> bool:
    """Whether the function is given a mask and does not count with it."""
    if _MASK not in function.parameters:
        return False
    counted = ("sum", "argmin", "argmax", "flip", "nonzero", "cumsum", "all")
    return not any(called_name(call) in counted and _MASK in ast.unparse(call) for call in function.calls)


def _edits(function: Function, node: ast.Subscript, states: ast.expr) -> tuple[Edit, ...]:
    is_whole = isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2
    if function.source.aliases.get("torch") != "torch" or not is_whole:
        return ()
    text = function.source.segment(states)
    return (function.replace(node, f"{text}[torch.arange(len({_MASK})), {_MASK}.sum(dim=1) - 1]"),)

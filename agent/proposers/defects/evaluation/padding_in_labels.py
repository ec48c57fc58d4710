"""Labels of a language model are a copy of its padded inputs: padding is learned.

Why it hurts: most targets of short texts are padding, the loss looks low, and with the end mark as padding the model
learns to end never or at once. Source: the documentation of `transformers` (label -100 is ignored); seen in public fix
histories.

    before                                              after
    b = tok(x, padding=True, return_tensors="pt")       b = tok(x, padding=True, return_tensors="pt")
    b["labels"] = b["input_ids"].clone()                b["labels"] = b["input_ids"].masked_fill(
                                                            b["attention_mask"] == 0, -100)

Not flagged: files that know -100 or an ignored index, collators that make the labels, and texts that are not padded.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function

_KNOWS = ("-100", "ignore_index", "DataCollator", "label_pad", "IGNORE_INDEX", "loss_mask")


@dataclass(frozen=True, slots=True)
class PaddingInLabels:
    name: str = "padding_in_labels"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            text = function.source.text
            if "input_ids" not in text or "labels" not in text or any(mark in text for mark in _KNOWS):
                continue
            for node in function.own:
                match node:
                    case ast.Assign(
                        targets=[ast.Subscript(value=ast.Name(name), slice=ast.Constant("labels"))], value=value
                    ):
                        made = _padded(name, node.lineno, function)
                    case _:
                        continue
                if made is None or not _is_copy(value, name):
                    continue
                new = _masked(name, made, function)
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    "Leave padding out of the labels",
                    f"`{ast.unparse(made)[:70]}` pads, and `{ast.unparse(node)[:60]}` makes the padding a target like any other.",
                    (function.replace(value, new),) if new else (),
                    confidence="medium",
                )


def _padded(name: str, line: int, function: Function) -> ast.Call | None:
    """The call of a tokenizer that made the batch, if it pads."""
    made = function.last_value(name, line)
    padding = keyword_of(made, "padding") if isinstance(made, ast.Call) else None
    if (
        isinstance(made, ast.Call)
        and isinstance(padding, ast.Constant)
        and padding.value in (True, "longest", "max_length")
    ):
        return made
    return None


def _is_copy(value: ast.expr, name: str) -> bool:
    """`b["input_ids"]`, with `.clone()` or `.copy()` or neither."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr="clone" | "copy"), args=[]):
            return _is_copy(inner, name)
        case ast.Subscript(value=ast.Name(base), slice=ast.Constant("input_ids")):
            return base == name
    return False


def _masked(name: str, made: ast.Call, function: Function) -> str:
    """The labels without padding; empty where the shape of what the tokenizer returns cannot be told."""
    ids, mask = f'{name}["input_ids"]', f'{name}["attention_mask"]'
    tensors = keyword_of(made, "return_tensors")
    if isinstance(tensors, ast.Constant) and tensors.value == "pt":
        return f"{ids}.masked_fill({mask} == 0, -100)"
    if tensors is not None and ast.unparse(tensors) != "None":
        return ""
    batched = _is_batched(function)
    if batched is None:
        return ""
    if batched:
        return f"[[t if m else -100 for t, m in zip(*row)] for row in zip({ids}, {mask})]"
    return f"[t if m else -100 for t, m in zip({ids}, {mask})]"


def _is_batched(function: Function) -> bool | None:
    """Whether `data.map(function, batched=True)` gives it lists of rows; None when no such call is seen."""
    name = function.name.rpartition(".")[2]
    for home in function.source.functions:
        for call in home.calls:
            given = call.args[0] if call.args else None
            if called_name(call) != "map" or given is None or ast.unparse(given).rpartition(".")[2] != name:
                continue
            batched = keyword_of(call, "batched")
            if batched is None or isinstance(batched, ast.Constant):
                return batched is not None and bool(batched.value)
    return None

"""Where a program computes a loss: which one, of what output, against what target, and where it was chosen."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ...proposal import Edit
from .program import Program, called_name, keyword_of
from .source import Function, words

CLASSES = {
    "CrossEntropyLoss": "cross_entropy", "NLLLoss": "nll", "BCELoss": "bce", "BCEWithLogitsLoss": "bce_logits",
    "MSELoss": "mse", "L1Loss": "mse", "SmoothL1Loss": "mse",
}  # fmt: skip
FUNCTIONS = {
    "cross_entropy": "cross_entropy", "nll_loss": "nll", "binary_cross_entropy": "bce",
    "binary_cross_entropy_with_logits": "bce_logits", "mse_loss": "mse", "l1_loss": "mse",
}  # fmt: skip
FUNCTION_OF = {
    "CrossEntropyLoss": "cross_entropy", "NLLLoss": "nll_loss", "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
}  # fmt: skip
LOSS_WORDS = frozenset("loss criterion crit objective bce ce mse nll cost xent lossfn".split())
COMMON = frozenset({"reduction", "weight", "size_average", "reduce"})


@dataclass(frozen=True)
class Loss:
    kind: str
    call: ast.Call
    function: Function
    output: ast.expr
    target: ast.expr
    made: ast.Call | None
    """`nn.CrossEntropyLoss()`; None for a loss that is a function."""
    home: Function
    """Where `made` stands; the calling function for a loss that is a function."""

    def swapped(self, new: str) -> tuple[Edit, ...] | None:
        """Edits that choose the loss class `new` (or its function) instead; None when an argument would not carry over."""
        old = self.made if self.made is not None else self.call
        kept = old.keywords if self.made is not None else [k for k in old.keywords if k.arg not in ("input", "target")]
        if any(k.arg not in COMMON for k in kept) or (self.made is not None and old.args):
            return None
        name = new if self.made is not None else FUNCTION_OF[new]
        return self._with_name(old, name)

    def _with_name(self, old: ast.Call, name: str) -> tuple[Edit, ...]:
        source = self.home.source
        func = source.segment(old.func)
        prefix, dot, _ = func.rpartition(".")
        text = f"{prefix}{dot}{name}" + source.segment(old)[len(func) :]
        edits = [self.home.replace(old, text)]
        if not dot and name not in source.aliases:
            module = "torch.nn" if self.made is not None else "torch.nn.functional"
            edits.append(source.functions[0].edit("add_import", code=f"from {module} import {name}"))
        return tuple(edits)


def losses(program: Program) -> Iterator[Loss]:
    """Every call of a known loss with an output and a target."""
    for function in program.functions:
        for call in function.calls:
            if len(call.args) + len(call.keywords) < 2:
                continue
            output = call.args[0] if call.args else keyword_of(call, "input")
            target = call.args[1] if len(call.args) > 1 else keyword_of(call, "target")
            if output is None or target is None or isinstance(output, ast.Starred):
                continue
            if found := _kind(call, function, program):
                kind, made, home = found
                yield Loss(kind, call, function, output, target, made, home)


def _kind(call: ast.Call, function: Function, program: Program) -> tuple[str, ast.Call | None, Function] | None:
    name = called_name(call)
    if name in FUNCTIONS and function.source.full(call.func).startswith("torch."):
        return FUNCTIONS[name], None, function
    if isinstance(call.func, ast.Call):
        made = _class_kind(call.func, function)
        return (made, call.func, function) if made else None
    if not LOSS_WORDS.intersection(words(name)) and "loss" not in name.lower():
        return None
    found = [(v, f) for v, f in program.values(call.func, function) if isinstance(v, ast.Call)]
    kinds = {kind for v, f in found if (kind := _class_kind(v, f))}
    if len(kinds) != 1 or any(not _class_kind(v, f) for v, f in found):
        return None  # several losses to choose from: somebody decides elsewhere
    value, home = found[0]
    return kinds.pop(), value, home


def _class_kind(made: ast.Call, function: Function) -> str:
    full = function.source.full(made.func)
    return CLASSES.get(full.rpartition(".")[2], "") if full.startswith("torch.") else ""

"""Labels of a language model that are shifted twice, or not at all.

Why it hurts: a model that predicts the next token is trained on inputs without the last and targets without the first
token. Shifted in the caller and in the model, it learns to skip a word; not shifted, it learns to copy its input: the
loss falls to nothing and the samples are noise. Source: Humbatova et al. 2020; Shao et al. 2025.

    before                                          after
    model(input_ids=ids[:, :-1],                    model(input_ids=ids, labels=ids).loss
          labels=ids[:, 1:]).loss

    logits = gpt(ids)                               logits = gpt(ids)
    F.cross_entropy(logits.view(-1, v),             F.cross_entropy(logits[:, :-1].reshape(-1, v),
                    ids.view(-1))                                   ids[:, 1:].reshape(-1))

Silent: models that are not in sight or not causal, masked language models, autoencoders, and targets that come from the
data already shifted.
"""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..losses import Loss, losses
from ..program import Program, called_name, keyword_of, receiver
from ..source import Function
from .found import at

_CAUSAL = ("CausalLM", "LMHeadModel")
_MARKS = frozenset("tril triu is_causal causal generate_square_subsequent_mask".split())
_FLATTENS = frozenset("view reshape flatten".split())


@dataclass(frozen=True, slots=True)
class LabelShift:
    name: str = "label_shift"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if (ids := _sliced_twice(call)) is not None and _shifts_inside(call, function, program):
                    yield self._twice(call, ids, function)
        for loss in losses(program):
            if loss.kind == "cross_entropy" and _is_unshifted(loss, program):
                yield self._never(loss)

    def _twice(self, call: ast.Call, ids: str, function: Function) -> Finding:
        source = function.source
        text, func = source.segment(call), source.segment(call.func)
        rest = text[len(func) :]
        for node in (*call.args, *(k.value for k in call.keywords)):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == ids:
                rest = rest.replace(source.segment(node), ids, 1)
        why = (
            "The model shifts the labels itself: given shifted ones it is trained to predict the token after the next."
        )
        found = at(self.name, function, call, "Shift the labels once", why, (function.replace(call, func + rest),))
        return replace(found, confidence="high")

    def _never(self, loss: Loss) -> Finding:
        function, source = loss.function, loss.function.source
        text, func = source.segment(loss.call), source.segment(loss.call.func)
        rest = text[len(func) :]
        rest = rest.replace(source.segment(loss.output), _cut(loss.output, ":-1", source.segment), 1)
        rest = rest.replace(source.segment(loss.target), _cut(loss.target, "1:", source.segment), 1)
        why = "Output and target are of the same positions: the model is trained to copy the token it was given."
        found = at(self.name, function, loss.call, "Compare each output with the next token", why,
                   (function.replace(loss.call, func + rest),))  # fmt: skip
        return replace(found, confidence="high")


def _sliced_twice(call: ast.Call) -> str | None:
    """`ids` of a call with `ids[:, :-1]` as input and `ids[:, 1:]` as labels."""
    labels = keyword_of(call, "labels")
    if not isinstance(labels, ast.Subscript) or not ast.unparse(labels.slice).replace(" ", "").endswith(
        (":,1:", "...,1:", ",1:)")
    ):
        return None
    given = call.args[0] if call.args else keyword_of(call, "input_ids")
    if not isinstance(given, ast.Subscript) or not ast.unparse(given.slice).replace(" ", "").strip("()").endswith(
        ",:-1"
    ):
        return None
    ids = ast.unparse(labels.value)
    return ids if isinstance(labels.value, ast.Name) and ids == ast.unparse(given.value) else None


def _shifts_inside(call: ast.Call, function: Function, program: Program) -> bool:
    """Whether the called model takes unshifted labels: one of `transformers`, or one whose forward slices both."""
    values = [(v, f) for v, f in program.values(call.func, function) if isinstance(v, ast.Call)]
    if not values:
        return False
    for value, home in values:
        full = home.source.full(value.func)
        if full.startswith("transformers.") and any(mark in full for mark in _CAUSAL):
            continue
        found = program.find_class(called_name(value), home.source)
        forward = program.method(*found, "forward") if found is not None else None
        if forward is None or not _slices_labels(forward):
            return False
    return True


def _slices_labels(forward: Function) -> bool:
    texts = [ast.unparse(n).replace(" ", "") for n in forward.everything if isinstance(n, ast.Subscript)]
    return any("labels[" in t and ",1:]" in t for t in texts) and any(":-1,:]" in t or ",:-1]" in t for t in texts)


def _is_unshifted(loss: Loss, program: Program) -> bool:
    """Whether a causal model's output on `ids` is compared with `ids` itself, position by position."""
    output, target = _flattened(loss.output), _flattened(loss.target)
    if not isinstance(output, ast.Name) or not isinstance(target, ast.Name):
        return False
    function = loss.function
    made = function.last_value(output.id, loss.call.lineno)
    if len(function.assignments(output.id)) != 1 or len(function.assignments(target.id)) > 1:
        return False
    if not isinstance(made, ast.Call) or len(made.args) != 1 or ast.unparse(made.args[0]) != target.id or made.keywords:
        return False
    values = [(v, f) for v, f in program.values(made.func, function) if isinstance(v, ast.Call)]
    classes = [program.find_class(called_name(v), f.source) for v, f in values]
    return bool(classes) and all(found is not None and _is_causal(found[0]) for found in classes)


def _is_causal(owner: ast.ClassDef) -> bool:
    said = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(owner)
        if isinstance(n, ast.Attribute | ast.Name)
    }
    said |= {k.arg for k in ast.walk(owner) if isinstance(k, ast.keyword) and k.arg and ast.unparse(k.value) != "False"}
    return bool(_MARKS & said)


def _flattened(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and called_name(node) in (*_FLATTENS, "transpose", "contiguous", "long"):
        inner = receiver(node)
        if inner is None:
            break
        node = inner
    return node


def _cut(node: ast.expr, part: str, segment: Callable[[ast.AST], str]) -> str:
    """`x.view(-1)` -> `x[:, 1:].reshape(-1)`."""
    name = _flattened(node)
    text, inner = segment(node), segment(name)
    return f"{inner}[:, {part}]" + text[len(inner) :].replace(".view(", ".reshape(")

"""What is called the test data is the training data.

Why it hurts: the score is that of memory, and every change that memorises better wins. Source: Kapoor & Narayanan 2023,
leakage type L1; Yang et al. 2022 (overlap).

    before                                          after
    train_set = MNIST(root, train=True)             train_set = MNIST(root, train=True)
    test_set = MNIST(root, train=True)              test_set = MNIST(root, train=False)

    test_loader = DataLoader(train_set)             test_loader = DataLoader(test_set)

Not flagged: names that say training too (`train_eval_loader`), a validation set that is a part of the training data, and
loaders of training data where no other data set of that role is at hand.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from ..training import HELD_OUT_WORDS, TRAIN_WORDS
from .roles import said

_TEST = frozenset({"test", "testing", "holdout", "heldout"})


@dataclass(frozen=True, slots=True)
class HeldOutIsTraining:
    name: str = "held_out_is_training"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for target, call in _made(function):
                roles = said(target)
                if roles & TRAIN_WORDS:
                    continue
                if roles & _TEST:
                    yield from self._of_training_part(target, call, function)
                if roles & HELD_OUT_WORDS and called_name(call) == "DataLoader":
                    yield from self._loader(target, call, function)

    def _of_training_part(self, target: str, call: ast.Call, function: Function) -> Iterator[Finding]:
        given = keyword_of(call, "train")
        if not isinstance(given, ast.Constant) or given.value is not True:
            return
        text = ast.unparse(call.func)
        siblings = [
            other
            for name, other in _made(function)
            if said(name) & TRAIN_WORDS
            and ast.unparse(other.func) == text
            and ast.unparse(keyword_of(other, "train") or other) == "True"
        ]
        if siblings:
            edit = function.set_keyword(call, "train", "False")
            yield self._finding(target, call, function, edit)

    def _loader(self, target: str, call: ast.Call, function: Function) -> Iterator[Finding]:
        data = call.args[0] if call.args else keyword_of(call, "dataset")
        if not isinstance(data, ast.Name | ast.Attribute) or keyword_of(call, "sampler") is not None:
            return
        text = ast.unparse(data)
        if not said(text) & TRAIN_WORDS or said(text) & HELD_OUT_WORDS:
            return
        roles = sorted(said(target) & HELD_OUT_WORDS)
        for old in ("training", "train"):
            other = text.replace(old, roles[0])
            if other != text and (function.assignments(other) or other in function.parameters):
                whole = function.source.spliced(call, data, other)
                yield self._finding(target, call, function, function.replace(call, whole))
                return

    def _finding(self, target: str, call: ast.Call, function: Function, edit: Edit) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            call.lineno,
            function.name,
            f"Make {target} of held-out data"[:72],
            f"`{target}` is made of the training data: `{ast.unparse(call)[:100]}`.",
            (edit,),
            confidence="high",
        )


def _made(function: Function) -> Iterator[tuple[str, ast.Call]]:
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=ast.Call() as call):
                yield ast.unparse(target), call

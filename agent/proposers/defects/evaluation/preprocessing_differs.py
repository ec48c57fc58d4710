"""Training and test images are normalised differently.

Why it hurts: the network sees inputs of another mean and scale than it learned from, and its score drops for no reason
of its own. Source: six of seventy records of defects4ml; TheDeepChecker (input scale).

    before                                              after
    train = Compose([ToTensor(), Normalize(M, S)])      train = Compose([ToTensor(), Normalize(M, S)])
    test = Compose([ToTensor()])                        test = Compose([ToTensor(), Normalize(M, S)])

Not flagged: augmentation and sizes, which differ on purpose; transforms of which several of a role are made; names that
say no role.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program
from .composed import Composed, composed

_STEP = "Normalize"


@dataclass(frozen=True, slots=True)
class PreprocessingDiffers:
    name: str = "preprocessing_differs"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "Compose" not in function.source.text:
                continue
            known = list(composed(function))
            training = [one for one in known if one.role == "train"]
            held_out = [one for one in known if one.role == "held_out"]
            if len(training) != 1 or len({one.name for one in held_out}) != len(held_out):
                continue
            for one in held_out:
                yield from self._compare(training[0], one)

    def _compare(self, train: Composed, held_out: Composed) -> Iterable[Finding]:
        wanted, has = train.step(_STEP), held_out.step(_STEP)
        function = held_out.function
        if wanted is not None and has is not None:
            if _means(wanted) == _means(has):
                return
            edit = function.replace(has, train.function.source.segment(wanted))
            yield self._finding(train, held_out, has, edit, "normalised by other numbers")
            return
        rich, poor = (train, held_out) if wanted is not None else (held_out, train)
        step = rich.step(_STEP)
        place = poor.step("ToTensor")
        if step is None or place is None or place is not poor.steps[-1]:
            return
        edit = function.replace(poor.call, poor.with_after(place, rich.function.source.segment(step)))
        yield self._finding(train, held_out, poor.call, edit, "and only one of them normalises")

    def _finding(self, train: Composed, held_out: Composed, node: ast.expr, edit: Edit, how: str) -> Finding:
        path = held_out.function.source.path
        return Finding(
            self.name,
            path,
            node.lineno,
            held_out.function.name,
            f"Normalise `{held_out.name}` as `{train.name}`"[:72],
            f"Images of `{train.name}` and `{held_out.name}` go to the same network, {how}.",
            (edit,),
            (Evidence(path, train.call.lineno, f"{train.name} here"),),
            confidence="high",
        )


def _means(call: ast.Call) -> list[str]:
    """What Normalize is given, in one spelling: mean, then deviation."""
    named = {k.arg: ast.unparse(k.value) for k in call.keywords}
    given = [ast.unparse(arg) for arg in call.args]
    given += [named[name] for name in ("mean", "std")[len(given) :] if name in named]
    return [text.replace("[", "(").replace("]", ")") for text in given]

"""Validation or test images are augmented at random.

Why it hurts: the score is that of distorted images, lower than the truth and different at each evaluation, so that
small gains cannot be told from luck. Source: Humbatova et al. 2020; DeepCrime (training data operators).

    before                                                  after
    val = Compose([RandomHorizontalFlip(), ToTensor()])     val = Compose([ToTensor()])

    val_set = Images(d, transform=train_transform)          val_set = Images(d, transform=val_transform)

Not flagged: test-time augmentation that says so, fixed crops and resizes, names that say training too, and a training
transform where no other is at hand.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words
from ..training import HELD_OUT_WORDS, TRAIN_WORDS
from .composed import Composed, composed
from .roles import said

_RANDOM = frozenset(
    "RandomHorizontalFlip RandomVerticalFlip RandomRotation RandomCrop ColorJitter RandomErasing RandAugment AutoAugment "
    "TrivialAugmentWide AugMix RandomAffine RandomPerspective RandomGrayscale RandomInvert RandomBrightnessContrast".split()
)
_ON_PURPOSE = frozenset({"tta", "aug", "augment", "augmented", "robust", "corrupt"})


@dataclass(frozen=True, slots=True)
class AugmentedValidation:
    name: str = "augmented_validation"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for one in composed(function) if "Compose" in function.source.text else ():
                if one.role == "held_out" and not _ON_PURPOSE & set(words(one.name)):
                    yield from self._literal(one)
            yield from self._training_transform(function)

    def _literal(self, one: Composed) -> Iterator[Finding]:
        random = [step for step in one.steps if isinstance(step, ast.Call) and called_name(step) in _RANDOM]
        if not random or any(keyword_of(step, "p") is not None and ast.unparse(keyword_of(step, "p") or step) == "0" for
                             step in random):  # fmt: skip
            return
        rest = Composed(one.name, one.call, one.steps, one.function)
        edits: tuple[Edit, ...] = ()
        if len(random) == 1:
            edits = (one.function.replace(one.call, rest.without(random[0])),)
        names = ", ".join(called_name(step) for step in random)
        yield self._finding(
            one.function,
            one.call,
            f"`{one.name}` distorts images at random ({names}).",
            f"Do not augment {one.name}",
            edits,
        )

    def _training_transform(self, function: Function) -> Iterator[Finding]:
        """`val_set = Images(path, transform=train_transform)` where a `val_transform` is at hand."""
        for node in function.own:
            match node:
                case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=ast.Call() as call):
                    pass
                case _:
                    continue
            given, roles = keyword_of(call, "transform"), said(ast.unparse(target))
            if given is None or roles & TRAIN_WORDS or not roles & HELD_OUT_WORDS:
                continue
            text = ast.unparse(given)
            if not said(text) & TRAIN_WORDS or said(text) & HELD_OUT_WORDS:
                continue
            new = _sibling(text, roles & HELD_OUT_WORDS, function)
            if new:
                edit = function.set_keyword(call, "transform", new)
                why = f"`{ast.unparse(target)}` gets `{text}`, although there is `{new}`."
                yield self._finding(function, call, why, f"Give {ast.unparse(target)} {new}", (edit,))

    def _finding(self, function: Function, node: ast.expr, why: str, title: str, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            title[:72],
            f"{why} The score then differs from one evaluation to the next.",
            edits,
            confidence="high" if edits else "medium",
        )


def _sibling(text: str, roles: set[str], function: Function) -> str:
    """The held-out counterpart of a training transform, if the function or its module has made one."""
    homes = (function, function.source.functions[0])
    for role in (*sorted(roles), "val", "test", "eval", "valid"):
        for old in ("training", "train"):
            new = text.replace(old, role)
            if new != text and any(home.assignments(new) or new in home.parameters for home in homes):
                return new
    return ""

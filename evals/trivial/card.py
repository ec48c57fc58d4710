"""The card of trivial baselines: made from the untouched code's predictions, judged by its own evaluator, once in a run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from ..trial import Run
from .answers import constants, groups_of, is_constant, random_answers, shuffled
from .column import kind_of
from .errors import NotUnderstood
from .template import Template, read_columns, read_template

if TYPE_CHECKING:
    from .column import Array

NAMES = ("constant", "majority", "copy", "shuffled labels", "random")
MOST_STEPS = 5
"""Score steps for all of the card. What the others leave is spent on further constants."""
MOST_TRIED = 10
TRIES = 2
"""Of one score step that the sandbox failed."""


@dataclass
class Card:
    """What came of it, as it is kept with the run."""

    entries: dict[str, float | str] = field(default_factory=dict)
    """A baseline's score, or why it has none. Empty when the predictions could not be understood."""
    reason: str = ""
    """Why there is no card."""
    answers: dict[str, str] = field(default_factory=dict)
    """Column of answers to what kind they are; see `column.kind_of`."""
    one_answer: bool = False
    """Whether the untouched code itself gave every example the same answer."""
    tried: int = 0
    """How many constants were scored."""
    steps: int = 0
    seconds: float = 0.0
    """Device seconds of all of its score steps."""

    def settings(self) -> dict[str, object]:
        facts = {name: getattr(self, name) for name in ("reason", "answers", "one_answer", "tried", "steps", "seconds")}
        return {"trivial": self.entries, "trivial_facts": facts}


@dataclass(frozen=True)
class Bench:
    """Where a card is made and scored."""

    predictions: Path
    """Frozen predictions of the untouched code, on the split that `score` judges."""
    inputs: Path
    """Of the same split."""
    scratch: Path
    score: Callable[[Path], Run]
    """Judges a folder of predictions."""
    maximize: bool


def make_card(bench: Bench) -> Card:
    """The card: at most `MOST_STEPS` score steps, however many answers there are."""
    card = Card()
    try:
        template = read_template(bench.predictions)
    except NotUnderstood as reason:
        card.reason = str(reason)
        return card
    card.answers = {name: kind_of(column) for name, column in template.answers.items()}
    card.one_answer = all(is_constant(column) for column in template.answers.values())
    made = _Made(bench, template, card)
    found = {
        "majority": made.score(next(_constants(template, []))),
        "shuffled labels": made.score(_shuffled(template)),
        "random": made.score({name: random_answers(column) for name, column in template.answers.items()}),
    }
    try:
        found["copy"] = made.score(_copied(template, bench.inputs))
    except NotUnderstood as reason:
        found["copy"] = str(reason)
    found["constant"] = _best_constant(made, found["majority"], found["shuffled labels"], bench.maximize)
    card.entries = {name: one if isinstance(one, str) else _value(one) for name, one in found.items()}
    card.entries = {name: card.entries[name] for name in NAMES}
    return card


def start_alarm(settings: Mapping[str, object], start: float | None, direction: str) -> str:
    """A sentence when the untouched code is no better than an answer that never changes; empty when it is, or none knows.

    Args:
        settings: of a run, whatever they hold.
        start: mean of the untouched code on the search split.
    """
    trivial, facts = settings.get("trivial"), settings.get("trivial_facts")
    if not isinstance(trivial, Mapping) or not isinstance(facts, Mapping) or start is None:
        return ""
    scores = [v for k in ("constant", "majority") if isinstance(v := trivial.get(k), int | float)]
    bar = (max(scores) if direction == "maximize" else min(scores)) if scores else None
    so = "it has learnt nothing that the metric sees, and a gain over it is a gain over nothing"
    if bar is not None and (start <= bar if direction == "maximize" else start >= bar):
        than = "the same as" if start == bar else "worse than"
        return (
            f"The untouched code scores {start:.4g} on the search split, {than} one and the same answer for every example "
            f"({bar:.4g}): {so}."
        )
    if facts.get("one_answer"):
        return f"On its first seed the untouched code gives every example of the search split one and the same answer: {so}."
    return ""


def start_of(runs: "list[Run]") -> float | None:
    """Mean score of the runs that have one."""
    values = [run.score.value for run in runs if run.score is not None]
    return fmean(values) if values else None


@dataclass
class _Made:
    """Writes filled templates and has them judged, one after the other."""

    bench: Bench
    template: Template
    card: Card

    def score(self, answers: "Mapping[str, Array]") -> "Run | str":
        folder = self.bench.scratch / f"trivial-{self.card.steps}"
        place = folder / self.template.file
        place.parent.mkdir(parents=True)
        try:
            place.write_bytes(self.template.fill(answers))
        except (ValueError, OverflowError) as error:
            return f"it cannot be written: {str(error)[:200]}"
        for _ in range(TRIES):
            run = self.bench.score(folder)
            self.card.seconds += run.device_seconds
            if run.status != "sandbox_failed":
                break
        self.card.steps += 1
        return run


def _value(run: Run) -> float | str:
    return run.score.value if run.score is not None else f"no score ({run.status}): {run.reason}"[:300]


def _constants(template: Template, order: list[int]) -> "Iterator[dict[str, Array]]":
    """Constants of all columns side by side: the first of each, then the second of each."""
    columns = {name: list(islice(constants(c, order), MOST_TRIED)) for name, c in template.answers.items()}
    for number in range(max(len(made) for made in columns.values())):
        yield {name: made[min(number, len(made) - 1)] for name, made in columns.items()}


def _shuffled(template: Template) -> "dict[str, Array]":
    places = shuffled(template.examples)
    return {name: column[places] for name, column in template.answers.items()}


def _best_constant(made: _Made, majority: "Run | str", mixed: "Run | str", maximize: bool) -> "Run | str":
    """The best of the majority and of as many other constants as the steps that are left allow."""
    others = _constants(made.template, _order(made.template, mixed, maximize))
    next(others)
    tried = [majority, *(made.score(one) for one in islice(others, MOST_STEPS - made.card.steps))]
    made.card.tried = len(tried)
    scored = [one for one in tried if isinstance(one, Run) and one.score is not None]
    if not scored:
        return majority
    sign = 1.0 if maximize else -1.0
    return max(scored, key=lambda run: sign * run.score.value if run.score else 0.0)


def _order(template: Template, mixed: "Run | str", maximize: bool) -> list[int]:
    """Answers by what they scored where the shuffled template gave them to examples at random: an unbiased guess at what
    each would score everywhere, at no cost. Empty where the judge gives no value for each example."""
    import numpy as np

    values = mixed.score.per_example if isinstance(mixed, Run) and mixed.score else None
    column = next(iter(template.answers.values()))
    if values is None or len(values) != template.examples or kind_of(column) in ("rankings", "real values"):
        return []
    groups = groups_of(column)[shuffled(template.examples)]
    means = np.bincount(groups, values) / np.bincount(groups)
    return [int(group) for group in np.argsort(-means if maximize else means, kind="stable")]


def _copied(template: Template, inputs: Path) -> "dict[str, Array]":
    """The inputs in the place of the answers. Raises: NotUnderstood when no input has their shape and type."""
    copied = {}
    columns = read_columns(inputs)[1]
    for name, column in template.answers.items():
        fits = [c for c in columns.values() if c.shape == column.shape and _alike(c, column)]
        if len(fits) != 1:
            found = "no input has" if not fits else f"{len(fits)} inputs have"
            raise NotUnderstood(f"{found} the shape and type of the answers ({kind_of(column)})")
        copied[name] = fits[0].astype(column.dtype)
    return copied


def _alike(one: "Array", other: "Array") -> bool:
    same = {"i": "i", "u": "i", "U": "text", "S": "bytes"}
    return same.get(one.dtype.kind, one.dtype.kind) == same.get(other.dtype.kind, other.dtype.kind)

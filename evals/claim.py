"""What a commit says of itself: trailers in its message, one fact each, that another machine can measure again.

    Branchlab-Target: points
    Branchlab-Base: 1f0c...                                    the commit it is better than
    Branchlab-Tree: 9a31...                                    the content that was measured
    Branchlab-Metric: accuracy (maximize)
    Branchlab-Effect: +0.0312                                  positive is better, whatever the direction
    Branchlab-Interval: [+0.0204, +0.0420] 95%
    Branchlab-Split: confirm
    Branchlab-Seeds: 100 101 102 103 104 105
    Branchlab-Budget: 384 device seconds                       what the whole run that found it was given

The last five stand together or not at all: a commit nobody measured says what it is, and no number. They are read where
git itself looks for trailers, in the last paragraph (git-interpret-trailers(1)), and more strictly, since anyone writes them.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, cast

from ..targets.errors import UsageError

PREFIX = "Branchlab-"
MOST_CHARACTERS = 4000
"""Of one value: room for 256 seeds of ten digits, and for nothing that was not written by us."""
MOST_SEEDS = 256
DIGITS = 6
"""Significant digits of the numbers in a claim."""
FIX = "write it as `branchlab run` does (docs/review.md), or take all Branchlab- trailers out"

Direction = Literal["maximize", "minimize"]
SplitName = Literal["search", "confirm"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What was measured of the commit against the claim's base, paired by seed; positive is better.

    Raises: UsageError, naming the trailer, for values that no measurement gives.
    """

    mean: float
    low: float
    high: float
    """The 95 % interval."""
    split: SplitName
    seeds: tuple[int, ...]
    budget: float
    """Device seconds the run that found it was given, all arms together."""

    def __post_init__(self) -> None:
        for name, value in (("Effect", self.mean), ("Interval", self.low), ("Interval", self.high)):
            if not math.isfinite(value):
                _malformed(name, "a finite number", str(value))
        if not self.low <= self.mean <= self.high:
            _malformed("Interval", f"one that holds the effect {_signed(self.mean)}", _interval(self))
        if self.split not in ("search", "confirm"):
            _malformed("Split", "search or confirm", self.split)
        if not 2 <= len(self.seeds) <= MOST_SEEDS or len(set(self.seeds)) < len(self.seeds):
            _malformed("Seeds", f"2 to {MOST_SEEDS} different seeds", f"{len(self.seeds)} of them")
        if not all(0 <= seed < 2**32 for seed in self.seeds):
            _malformed("Seeds", "numbers from 0 to 2^32 - 1", str(max(self.seeds, key=abs)))
        if not (math.isfinite(self.budget) and self.budget >= 0):
            _malformed("Budget", "a number of device seconds", str(self.budget))


@dataclass(frozen=True, slots=True)
class Claim:
    """Raises: UsageError, naming the trailer, for a value that cannot be."""

    target: str
    base: str
    """40 hex digits."""
    tree: str
    """Id of the tree of files that was measured, 40 hex digits: a claim cannot be moved to other content."""
    metric: str
    direction: Direction
    effect: Effect | None = None
    """None: nobody measured just this commit."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", self.target):
            _malformed("Target", "the name of a target", self.target)
        for name, value in (("Base", self.base), ("Tree", self.tree)):
            if not re.fullmatch("[0-9a-f]{40}", value):
                _malformed(name, "40 hex digits", value)
        if self.direction not in ("maximize", "minimize"):
            _malformed("Metric", "maximize or minimize", self.direction)
        if not self.metric.isprintable() or self.metric != " ".join(self.metric.split()) or not self.metric:
            _malformed("Metric", "a name on one line", self.metric)
        if len(self.metric) > 200:
            _malformed("Metric", "a name of at most 200 characters", f"{len(self.metric)} characters")


def rounded(value: float) -> float:
    """The number as a claim holds it. Monotone, so that an effect inside its interval stays inside."""
    return float(f"{value:.{DIGITS}g}")


def to_trailers(claim: Claim) -> str:
    """The claim as the last paragraph of a commit message, without a line feed at its end; `parse_claim` reads it back."""
    facts = {
        "Target": claim.target,
        "Base": claim.base,
        "Tree": claim.tree,
        "Metric": f"{claim.metric} ({claim.direction})",
    }
    if effect := claim.effect:
        facts |= {
            "Effect": _signed(effect.mean),
            "Interval": _interval(effect),
            "Split": effect.split,
            "Seeds": " ".join(map(str, effect.seeds)),
            "Budget": f"{effect.budget!r} device seconds".replace(".0 ", " "),
        }
    return "\n".join(f"{PREFIX}{name}: {value}" for name, value in facts.items())


def parse_claim(message: str) -> Claim | None:
    """The claim in a commit message; None when it has no Branchlab- trailer at all.

    Raises: UsageError in one line (trailer, wanted, found, fix) for one that is malformed, doubled, missing, unknown, or
    outside the last paragraph, where no other tool would see it.
    """
    found = _trailers(message)
    if not found:
        return None
    for name in ("Target", "Base", "Tree", "Metric"):
        if name not in found:
            _malformed(name, "one, since there are other Branchlab- trailers", "none")
    metric = re.fullmatch(r"(.+) \((maximize|minimize)\)", found["Metric"])
    if metric is None:
        _malformed("Metric", "NAME (maximize) or NAME (minimize)", found["Metric"])
    direction = cast(Direction, metric[2])
    return Claim(found["Target"], found["Base"], found["Tree"], metric[1], direction, _effect(found))


def _effect(found: Mapping[str, str]) -> Effect | None:
    given = [name for name in _MEASURED if name in found]
    if not given:
        return None
    for name in _MEASURED:
        if name not in found:
            _malformed(name, f"one, since there is {PREFIX}{given[0]}", "none")
    parts = re.fullmatch(r"\[(\S+), (\S+)\] 95%", found["Interval"])
    if parts is None:
        _malformed("Interval", "[LOW, HIGH] 95%", found["Interval"])
    budget = re.fullmatch(r"(\S+) device seconds", found["Budget"])
    if budget is None:
        _malformed("Budget", "N device seconds", found["Budget"])
    return Effect(
        mean=_number("Effect", found["Effect"]),
        low=_number("Interval", parts[1]),
        high=_number("Interval", parts[2]),
        split=cast(SplitName, found["Split"]),
        seeds=_seeds(found["Seeds"]),
        budget=_number("Budget", budget[1]),
    )


_MEASURED = ("Effect", "Interval", "Split", "Seeds", "Budget")
_NAMES = {name.lower(): name for name in ("Target", "Base", "Tree", "Metric", *_MEASURED)}


def _trailers(message: str) -> dict[str, str]:
    """Our trailers by name, of the last paragraph."""
    lines = [line.rstrip() for line in message.rstrip().split("\n")]
    start = max((at + 1 for at, line in enumerate(lines) if not line), default=0)
    found: dict[str, str] = {}
    ours = ""
    for at, line in enumerate(lines):
        if ours and line[:1].isspace():
            _malformed(ours, "a value on one line", line)
        ours = ""
        key, colon, value = line.partition(":")
        if not key.lower().startswith(PREFIX.lower()) or not colon:
            continue
        ours = _known(key)
        if at < start:
            _malformed(ours, "it in the last paragraph of the message", f"it in line {at + 1}")
        if ours in found:
            _malformed(ours, "one", "two")
        found[ours] = _bounded(ours, value.strip())
    return found


def _known(key: str) -> str:
    name = _NAMES.get(key.lower().removeprefix(PREFIX.lower()))
    if name is None:
        shown = key[:80]
        raise UsageError(
            "not a trailer of a claim", found=shown, wanted=", ".join(PREFIX + n for n in _NAMES.values()), fix=FIX
        )
    return name


def _bounded(name: str, value: str) -> str:
    if len(value) > MOST_CHARACTERS:
        _malformed(name, f"at most {MOST_CHARACTERS} characters", f"{len(value)} of them")
    if not value.isprintable():
        _malformed(name, "characters that can be printed", repr(value))
    return value


def _number(name: str, text: str) -> float:
    if not re.fullmatch(r"[+-]?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?", text, re.ASCII):
        _malformed(name, "a number such as +0.0312", text)
    return float(text)


def _seeds(text: str) -> tuple[int, ...]:
    parts = text.split(" ")
    for part in parts:
        if not re.fullmatch(r"\d{1,10}", part, re.ASCII):
            _malformed("Seeds", "numbers from 0 to 2^32 - 1 with one space between them", part)
    return tuple(map(int, parts))


def _malformed(name: str, wanted: str, found: str) -> NoReturn:
    shown = found if len(found) <= 200 else f"{found[:200]}..."
    raise UsageError(
        f"the claim's trailer {PREFIX}{name} is malformed", wanted=wanted, found=shown or "nothing", fix=FIX
    )


def _signed(value: float) -> str:
    return f"{value:+}"


def _interval(effect: Effect) -> str:
    return f"[{_signed(effect.low)}, {_signed(effect.high)}] 95%"

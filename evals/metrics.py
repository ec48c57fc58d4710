"""From what the last step left to a score, or to the reason why there is none. Every byte read here is hostile."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..sandbox.files import strict_json
from ..targets.errors import ArtifactError
from ..targets.target import Metric
from .trial import Score

MEAN_TOLERANCE = 1e-6
MOST_EXTRAS = 100
LARGEST = 1e100
"""Sums and squares of what is larger are no numbers any more."""
MOST_SLICES = 1000
MATCH_SECONDS = 10.0
"""For all of a log: a regular expression can be made to run for ever by a line written against it."""


def score_of_json(data: bytes, metric: Metric, nonce: str | None = None, *, slices: bool = False) -> Score:
    """The score in a metrics file: the number called `metric.name`, per-example values and groups, other numbers as extras.

    Raises: ArtifactError for anything else than one finite number of that name; for another nonce than the given one;
    for per-example values that are not finite numbers with the metric as their mean, within 1e-6; for groups that are not
    one text or whole number for each of them; where `slices` are asked for, for slices that are not an object of finite
    numbers.
    """
    body = strict_json(data)
    if not isinstance(body, dict):
        raise ArtifactError("metrics are not a JSON object", found=type(body).__name__)
    if nonce is not None and body.get("nonce") != nonce:
        raise ArtifactError(
            "the metrics are not of this run", wanted="the nonce it was given", found="another, or none"
        )
    if metric.name not in body:
        raise ArtifactError(f"no metric {metric.name}", found=", ".join(map(str, body))[:200] or "an empty object")
    value = _finite(body[metric.name], metric.name)
    per_example = _per_example(body.get("per_example"), value)
    groups = _groups(body.get("groups"), len(per_example or ()))
    parts = _slices(body.get("slices")) if slices else {}
    return Score(metric.name, value, per_example, _extras(body, metric.name), groups, parts)


def _finite(value: object, name: str) -> float:
    # bool is an int in Python, and `true` is no accuracy.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArtifactError(f"{name} is not a number", found=type(value).__name__)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ArtifactError(f"{name} is not finite")
    if abs(number) > LARGEST:
        raise ArtifactError(f"{name} is too large", wanted=f"at most {LARGEST:g} in size", found=f"{number:g}")
    return number


def _per_example(values: object, mean: float) -> tuple[float, ...] | None:
    if values is None:
        return None
    if not isinstance(values, list) or not values:
        raise ArtifactError("per_example is not a list of numbers")
    numbers = tuple(_finite(value, "per_example") for value in values)
    found = math.fsum(numbers) / len(numbers)
    if not abs(found - mean) <= MEAN_TOLERANCE * max(1.0, abs(mean)):
        raise ArtifactError("the mean of per_example is not the metric", wanted=f"{mean:.8g}", found=f"{found:.8g}")
    return numbers


def _groups(names: object, examples: int) -> tuple[int, ...] | None:
    """The groups of the examples, numbered in order of appearance."""
    if names is None:
        return None
    if not isinstance(names, list) or len(names) != examples:
        found = f"{len(names)} entries" if isinstance(names, list) else type(names).__name__
        raise ArtifactError("groups are not one for each of per_example", wanted=f"{examples} entries", found=found)
    numbers: dict[str | int, int] = {}
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise ArtifactError("a group is not a text or a whole number", found=type(name).__name__)
        numbers.setdefault(name, len(numbers))
    return tuple(numbers[name] for name in names)


def _slices(values: object) -> dict[str, float]:
    if values is None:
        return {}
    if not isinstance(values, dict) or len(values) > MOST_SLICES:
        raise ArtifactError("slices are not an object of numbers", wanted=f"at most {MOST_SLICES} numbers by name")
    return {str(name): _finite(value, f"slice {str(name)[:60]}") for name, value in values.items()}


def _extras(body: Mapping[str, object], name: str) -> dict[str, float]:
    numbers = {k: v for k, v in body.items() if isinstance(v, int | float) and not isinstance(v, bool) and k != name}
    return {key: _finite(value, key) for key, value in list(numbers.items())[:MOST_EXTRAS]}


def score_of_log(log: str, metric: Metric) -> Score:
    """The score in a same-process target's output: the last line that `metric.stdout` matches.

    The search runs in a child process that is killed when it takes too long, line by line: the expression is the
    user's, the lines are not.

    Raises: ArtifactError when no line matches, the group is not a finite number, or the search takes too long.
    """
    program = Path(__file__).with_name("last_match.py")
    question = json.dumps({"pattern": metric.stdout, "log": log}).encode()
    try:
        answer = subprocess.run(
            [sys.executable, "-I", str(program)],
            input=question,
            capture_output=True,
            timeout=MATCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            "the search for the metric in the output takes too long",
            wanted=f"at most {MATCH_SECONDS:.0f} s",
            fix="make metric.stdout simpler: no repetition inside a repetition",
        ) from None
    if answer.returncode != 0:
        raise ArtifactError(
            "the search for the metric in the output failed", found=answer.stderr.decode(errors="replace")[-200:]
        )
    found = json.loads(answer.stdout)
    if found is None:
        raise ArtifactError("no line of the output matches metric.stdout")
    return Score(metric.name, _number(found, metric.name))


def _number(text: str, name: str) -> float:
    try:
        if "_" in text:  # Python's own spelling of 1_000, nobody's metric
            raise ValueError
        return _finite(float(text), name)
    except ValueError:
        raise ArtifactError(f"{name} is not a number", found=text[:40]) from None

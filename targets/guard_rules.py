"""Rules of `[[guards]]` in target.toml."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .broken import Broken
from .mistakes import show

if TYPE_CHECKING:
    from .target import Guard, Target

KINDS = ("metric", "slice", "measure", "command")
PLACEHOLDERS = {"data", "out"}


def broken_guards(target: "Target") -> Iterator[Broken]:
    names = [guard.name for guard in target.guards]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Broken("guards", "a name is there twice", "a name of its own for each guard", name)
    for number, guard in enumerate(target.guards):
        key = f"guards[{number}]"
        given = [kind for kind in KINDS if getattr(guard, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            yield Broken(key, f"guard {guard.name} says not one thing", f"one of {', '.join(KINDS)}", found)
        else:
            yield from _tolerance(key, guard)
            yield from _direction(key, guard)
            yield from _kind(key, guard, target)


def _tolerance(key: str, guard: "Guard") -> Iterator[Broken]:
    given = [name for name in ("tolerance", "relative") if getattr(guard, name) is not None]
    if guard.command is not None:
        for name in given:
            yield Broken(f"{key}.{name}", "a command passes or fails", "no tolerance", show(getattr(guard, name)))
    elif len(given) != 1:
        found = " and ".join(given) or "neither"
        yield Broken(key, f"guard {guard.name} needs a tolerance", "one of tolerance, relative", found)


def _direction(key: str, guard: "Guard") -> Iterator[Broken]:
    if guard.metric is not None and guard.direction is None:
        yield Broken(f"{key}.direction", "key is missing", "maximize or minimize: which way is better", "nothing")
    if guard.metric is None and guard.direction is not None:
        whose = {"slice": "the metric's", "measure": "less is better"}.get(guard.kind, "a command has none")
        yield Broken(f"{key}.direction", "is known already", f"no such key ({whose})", show(guard.direction))


def _kind(key: str, guard: "Guard", target: "Target") -> Iterator[Broken]:
    if guard.metric == target.metric.name:
        yield Broken(f"{key}.metric", "is the metric itself", "another number of the metrics file", show(guard.metric))
    if guard.kind in ("metric", "slice") and target.metric.stdout is not None:
        found = "metric.stdout, which gives one number only"
        yield Broken(f"{key}.{guard.kind}", "is read from the metrics file", "metric.file", found)
    if guard.measure in ("latency", "model_bytes") and target.steps.predict is None:
        yield Broken(
            f"{key}.measure", f"{guard.measure} needs steps.predict", "steps.predict and steps.score", "neither"
        )
    for word in guard.command or ():
        for name in re.findall(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", word):
            if name not in PLACEHOLDERS:
                yield Broken(f"{key}.command", "unknown placeholder", "{data} or {out}", f"{{{name}}}")
            elif name == "data" and target.data is None:
                yield Broken("data", f"{key}.command uses {{data}}", "the folder or file of training data", "nothing")

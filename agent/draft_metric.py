"""Finds how a repository reports its result: a JSON file it writes, else a line it prints."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider

from .code_map import CodeMap
from .literal_values import literal_value
from .metric_words import HELD_OUT, TRAINING, Direction, direction_of
from .printed import LOGGED, Field, Printed, printed_in
from .words import words

NUMBER = r"([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf)"
PASSING = frozenset({"best", "saving", "saved", "improved", "top"})
QUANTITIES = frozenset({
    "time", "took", "takes", "ms", "s", "sec", "secs", "seconds", "minutes", "lr", "rate", "epoch", "step", "iter", "params",
})  # fmt: skip
"""What a number next to a metric's name may be instead of the metric."""
FILLERS = frozenset({"of", "is", "the", "a", "with", "for", "on", "at", "new", "final", "average", "mean", "set"})
METRIC_FILES = ("metric", "result", "score", "eval", "report", "summary")


@dataclass(frozen=True)
class DraftedMetric:
    name: str
    direction: Direction
    where: str
    """`FILE:LINE` of the code that reports it."""
    rank: int
    """How much speaks for it; below zero, it is about training."""
    file: str | None = None
    stdout: str | None = None
    notes: tuple[str, ...] = ()


def find_metrics(code: CodeMap, files: Sequence[str]) -> tuple[DraftedMetric, ...]:
    """Every metric that `files` report, the most likely first."""
    found: list[DraftedMetric] = []
    for file in files:
        module = code.module(file)
        found += _written(code, file, module)
        found += _printed(file, module)
    # Among equals the last one: a program prints its result at the end.
    latest_first = list(reversed(found))
    return tuple(sorted(latest_first, key=lambda metric: -metric.rank))


def _written(code: CodeMap, file: str, module: cst.Module) -> Iterator[DraftedMetric]:
    """Metrics among the keys of dicts in a file that writes a JSON file with a telling name."""
    names = [
        text
        for node in m.findall(module, m.SimpleString())
        if isinstance(node, cst.SimpleString) and isinstance(text := literal_value(node), str)
        if text.endswith(".json") and any(word in text.lower() for word in METRIC_FILES) and "/" not in text
    ]
    dumps = [call for call in code.calls if call.file == file and call.callee in {"json.dump", "json.dumps"}]
    if not names or not dumps:
        return
    for node in m.findall(module, m.DictElement(key=m.SimpleString())):
        key = literal_value(node.key) if isinstance(node, cst.DictElement) else None
        if isinstance(key, str) and (found := direction_of(key)):
            where = f"{file}:{dumps[-1].line}"
            yield DraftedMetric(key, found[1], where, 10 + _held_out(key), file=names[-1])


def _printed(file: str, module: cst.Module) -> Iterator[DraftedMetric]:
    printed = list(printed_in(module))
    if not printed:
        return
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    for one in printed:
        for index, part in enumerate(one.template):
            if isinstance(part, Field):
                metric = _field_metric(one, index, f"{file}:{positions[one.call].start.line}")
                if metric:
                    yield metric


def _field_metric(printed: Printed, index: int, where: str) -> DraftedMetric | None:
    """The metric that the field at `index` is, going by the text right before it, after it, or its own expression."""
    template = printed.template
    field = template[index]
    before = template[index - 1] if index and isinstance(template[index - 1], str) else ""
    after = template[index + 1] if index + 1 < len(template) and isinstance(template[index + 1], str) else ""
    if not isinstance(field, Field) or not isinstance(before, str) or not isinstance(after, str):
        return None
    label = before.rpartition("\n")[2]
    near, unit = _last_clause(label), after.partition("\n")[0].split()[:2]
    found = direction_of(near)
    if not found and not words(near) and not any(mark in word for word in unit for mark in ":="):
        found = direction_of(" ".join(unit))  # `0.93% correct`; before a colon it is the name of what comes next
    found = found or direction_of(field.expression)
    if not found or QUANTITIES & {*words(near)[-1:], *words(field.expression)[-1:], *words(" ".join(unit[:1]))}:
        return None
    expression = " ".join(words(field.expression))
    rank = _held_out(f"{near} {expression}") + 2 * bool(direction_of(near))
    # Such a line is printed only when something improved: its last one is the luckiest moment, not the result.
    rank -= 3 * bool(PASSING & {*words(label), *words(after)})
    notes = (
        (f"it is logged with .{printed.printer}(): check that this reaches stdout",)
        if printed.printer in LOGGED
        else ()
    )
    name = _name(near, found[0])
    return DraftedMetric(name, found[1], where, rank, stdout=_pattern(template, index), notes=notes)


def _last_clause(label: str) -> str:
    """Of `epoch 3 | loss` only `loss`: what stands after the last separator that has something after it."""
    stripped = label.strip().rstrip(":= (")
    for separator in ("|", ",", ";"):
        stripped = stripped.rpartition(separator)[2]
    return stripped


def _held_out(text: str) -> int:
    said = set(words(text))
    return 4 * bool(said & HELD_OUT) - 4 * bool(said & TRAINING and not said & HELD_OUT)


def _name(near: str, word: str) -> str:
    """A short name for the metric: the words right before it, else the one that tells its direction."""
    source = [part for part in words(near) if part not in FILLERS][-2:] if direction_of(near) else []
    return "_".join(source) or "_".join(words(word)[-2:]) or "metric"


def _pattern(template: Sequence[str | Field], index: int) -> str:
    """A regular expression with one group that finds this field on its line: no repetition inside a repetition."""
    before = template[index - 1] if index else ""
    text = before.rpartition("\n")[2] if isinstance(before, str) else ""
    start = "^" if index == 1 or (isinstance(before, str) and "\n" in before) else ""
    if index == 0:
        start = "^"
    elif not any(c.isalpha() for c in text) and not start:
        # Nothing but punctuation before it: what the line begins with tells it from others.
        first = template[0]
        head = first.rpartition("\n")[2] if isinstance(first, str) and index > 1 else ""
        start = f"^{re.escape(head)}.*" if head.strip() else "^.*"
    after = template[index + 1] if index + 1 < len(template) else ""
    tail = after.partition("\n")[0][:16] if isinstance(after, str) else ""
    end = (
        re.escape(tail).replace("\\ ", " ")
        if tail.strip()
        else "$"
        if index + 1 >= len(template) and index == 0
        else ""
    )
    return f"{start}{_escape(text)}{NUMBER}{end}"


def _escape(text: str) -> str:
    """`text` as a pattern, blanks of any width: numbers are often padded."""
    words_of = [re.escape(word) for word in text.split()]
    lead = r"\s+" if text[:1].isspace() and words_of else ""
    return lead + r"\s+".join(words_of) + r"\s*"

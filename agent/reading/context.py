"""What a model is shown of one symbol: its source, what it calls, what calls it, and what elsewhere does a like thing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..prompt_blocks import blocks, listed
from ..proposers.defects import Program
from ..proposers.defects.program import called_name
from ..proposers.defects.source import Function
from .subjects import Subject

CHARACTERS = 24_000
"""Of source in one question: about 6,000 tokens."""
MOST_OF_SUBJECT = 14_000
MOST_OF_OTHER = 4_000
MOST_OTHERS = 5
"""Callees, callers and siblings, of each."""
ALIKE = 0.6
"""Share of what two functions call or take that is the same, above which they are siblings."""
FEWEST_MARKS = 4


@dataclass(frozen=True, slots=True)
class Shown:
    file: str
    first: int
    last: int

    def holds(self, file: str, line: int) -> bool:
        return file == self.file and self.first <= line <= self.last


class Context:
    """The blocks of one question, filled in order of relevance until the room is used; `shown` says which lines are in it."""

    def __init__(self, program: Program, subject: Subject) -> None:
        self._lines = {source.path: source.text.split("\n") for source in program.sources}
        self.shown: list[Shown] = []
        self._left = CHARACTERS
        own = [function for function in _all(program) if _belongs(function, subject)]
        texts = {"SYMBOL": self._take(subject.file, subject.line, subject.end_line, MOST_OF_SUBJECT)}
        for title, others in (
            ("WHAT IT CALLS", _callees(program, own)),
            ("SIBLINGS", _siblings(program, own)),
            ("WHAT CALLS IT", _callers(program, own)),
        ):
            texts[title] = "\n\n".join(filter(None, map(self._function, _first(others, own))))
        self._texts = texts
        self._subject = subject

    @property
    def characters(self) -> int:
        """Of source that is shown."""
        return CHARACTERS - self._left

    def question(self, others: dict[str, str]) -> str:
        """The whole message: source, suspicions, and `others`, each fenced."""
        subject = self._subject
        name = f"{subject.file}::{subject.symbol or '(module)'}, because: {subject.why}"
        parts = {
            "THE SYMBOL TO JUDGE": name,
            **self._texts,
            "SUSPICIONS OF A STATIC READER": listed(subject.suspicions),
        }
        return blocks({**parts, **others})

    def _function(self, function: Function) -> str:
        node = function.node
        first = min([getattr(node, "lineno", 1), *(d.lineno for d in getattr(node, "decorator_list", ()))])
        last = getattr(node, "end_lineno", None) or first
        if any(one.holds(function.source.path, first) for one in self.shown):
            return ""
        return self._take(function.source.path, first, last, MOST_OF_OTHER)

    def _take(self, file: str, first: int, last: int, most: int) -> str:
        """Numbered lines, as many as there is room for; nothing when not even three fit."""
        room = min(most, self._left)
        taken: list[str] = [f"# {file}"]
        used = len(taken[0])
        for number in range(first, last + 1):
            line = f"{number:5}| {self._lines[file][number - 1]}"
            if used + len(line) + 1 > room:
                break
            taken.append(line)
            used += len(line) + 1
        count = len(taken) - 1
        if not count or (count < 3 and count < last - first + 1):
            return ""
        if count < last - first + 1:
            taken.append(f"({last - first + 1 - count} more lines)")
        self.shown.append(Shown(file, first, first + count - 1))
        self._left -= used
        return "\n".join(taken)


def _all(program: Program) -> Iterator[Function]:
    return iter(program.functions)


def _belongs(function: Function, subject: Subject) -> bool:
    if function.source.path != subject.file:
        return False
    return function.name == subject.symbol or (bool(subject.symbol) and function.name.startswith(f"{subject.symbol}."))


def _first(others: Iterable[Function], own: list[Function]) -> list[Function]:
    seen: dict[int, Function] = {}
    for function in others:
        if function.name and function not in own:
            seen.setdefault(id(function), function)
        if len(seen) == MOST_OTHERS:
            break
    return list(seen.values())


def _callees(program: Program, own: list[Function]) -> Iterator[Function]:
    for function in own:
        for call in function.calls:
            yield from program.callees(call, function)


def _callers(program: Program, own: list[Function]) -> Iterator[Function]:
    for function in own:
        for caller, _ in program.callers(function):
            yield caller


def _siblings(program: Program, own: list[Function]) -> Iterator[Function]:
    """Functions of the same name elsewhere, then those that take and call nearly the same things."""
    names = {function.name.rpartition(".")[2] for function in own} - {"", "__init__", "main"}
    others = [function for function in program.functions if function not in own]
    yield from (function for function in others if function.name.rpartition(".")[2] in names)
    marks = [mine for function in own if len(mine := _marks(function)) >= FEWEST_MARKS]
    for function in others:
        theirs = _marks(function)
        if any(len(mine & theirs) >= ALIKE * len(mine | theirs) for mine in marks):
            yield function


def _marks(function: Function) -> frozenset[str]:
    called = {f"{name}()" for call in function.calls if (name := called_name(call))}
    return frozenset(called | set(function.parameters) - {"self", "cls"})

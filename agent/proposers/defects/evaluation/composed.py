"""Image transforms as they are written: `Compose([...])` literals, what they hold and what they are called."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..program import called_name
from ..source import Function
from ..training import HELD_OUT_WORDS, TRAIN_WORDS
from .roles import said


@dataclass(frozen=True, slots=True)
class Composed:
    """`NAME = Compose([...])`, or the entry `NAME` of a dict of them."""

    name: str
    call: ast.Call
    steps: tuple[ast.expr, ...]
    function: Function

    @property
    def role(self) -> str:
        """`train` or `held_out` by its name; empty when the name says neither, or both."""
        roles = said(self.name)
        trains, held_out = bool(roles & TRAIN_WORDS), bool(roles & HELD_OUT_WORDS)
        return "" if trains == held_out else "train" if trains else "held_out"

    def step(self, name: str) -> ast.Call | None:
        return next((s for s in self.steps if isinstance(s, ast.Call) and called_name(s) == name), None)

    def without(self, step: ast.expr) -> str:
        """The source of the call less one step."""
        text, spans = self._text_and_spans()
        at = self.steps.index(step)
        if len(spans) == 1:
            return text[: spans[0][0]] + text[spans[0][1] :]
        if at + 1 < len(spans):
            return text[: spans[at][0]] + text[spans[at + 1][0] :]
        return text[: spans[at - 1][1]] + text[spans[at][1] :]

    def with_after(self, step: ast.expr, new: str) -> str:
        """The source of the call with a step put in after one."""
        text, spans = self._text_and_spans()
        at = self.steps.index(step)
        near = min(at, len(spans) - 2)
        between = text[spans[near][1] : spans[near + 1][0]] if near >= 0 else ", "
        return text[: spans[at][1]] + between + new + text[spans[at][1] :]

    def _text_and_spans(self) -> tuple[str, list[tuple[int, int]]]:
        source = self.function.source
        first, last = source.span(self.call)
        spans = [source.span(step) for step in self.steps]
        return source.text[first:last], [(start - first, end - first) for start, end in spans]


def composed(function: Function) -> Iterator[Composed]:
    """Compose literals of a function's own statements that have a name."""
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target], value=value):
                pass
            case _:
                continue
        name = ast.unparse(target)
        if isinstance(value, ast.Dict):
            for key, inner in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from _of(key.value, inner, function)
        else:
            yield from _of(name, value, function)


def _of(name: str, value: ast.expr, function: Function) -> Iterator[Composed]:
    match value:
        case ast.Call(args=[ast.List(elts=steps), *_]) if called_name(value) in ("Compose", "Sequential"):
            if not any(isinstance(step, ast.Starred) for step in steps):
                yield Composed(name, value, tuple(steps), function)

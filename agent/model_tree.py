"""The layers of each model and how many parameters they have, as far as the text says: nothing is run.

A size that comes from a configuration or a command line is shown by its name, and what is made of it has no count. The
arguments of a model's own parameters come from where it is made, when every place agrees, else from the defaults.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .code_map import CodeMap, Symbol
from .roles import is_test

MAX_MODELS = 40
"""Models that are drawn, the most relevant first."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, a container or a model."""

    name: str
    """The attribute it is kept in, `fc1`; of a model its own name; of a part of a list its place."""
    kind: str
    """`Linear`, or the name of a class of the repository."""
    file: str
    line: int
    shape: str = ""
    """The sizes a reader looks for first: `784 → 128`."""
    arguments: str = ""
    """As they are written; of a layer whose shape is known empty."""
    parameters: int | None = None
    """Weights of one, its parts included; None when a size, or what a part is, could not be read."""
    times: int | None = 1
    """How many there are; None when that could not be read."""
    parts: tuple["Layer", ...] = ()
    at_least: int = 0
    """Weights that could be counted."""


def model_trees(code: CodeMap) -> tuple[Layer, ...]:
    """A tree for each model that is no part of another one, most relevant first, at most `MAX_MODELS`."""
    from .model_reader import ModelReader

    reader = ModelReader(code)
    trees: list[Layer] = []
    for symbol in drawn_models(code):
        tree = reader.tree(symbol)
        if tree is not None:
            trees.append(tree)
    inner = {(part.kind, part.file) for tree in trees for part in _below(tree)} | {
        (part.kind, "") for tree in trees for part in _below(tree)
    }
    outer = [tree for tree in trees if (tree.kind, "") not in inner]
    return tuple(outer or trees)


def drawn_models(code: CodeMap) -> Sequence[Symbol]:
    """The models that are drawn: not those of tests, nor helpers inside a class or function."""
    place = {file: number for number, file in enumerate(code.relevance)}
    found = [s for s in code.with_role("model") if s.kind != "module" and "." not in s.name and not is_test(s.file)]
    found.sort(key=lambda symbol: (place.get(symbol.file, len(place)), symbol.line))
    return found[:MAX_MODELS]


def _below(layer: Layer) -> Iterator[Layer]:
    for part in layer.parts:
        yield part
        yield from _below(part)

"""Layers put together: a container's weights are its parts', as often as each is there."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .model_tree import Layer


def summed(layer: Layer, parts: Iterable[Layer], complete: bool) -> Layer:
    """`layer` with these parts, its weights theirs; equal parts that follow each other are one, several times."""
    found: list[Layer] = []
    for part in parts:
        if found and _alike(found[-1]) == _alike(part) and found[-1].times is not None and part.times is not None:
            found[-1] = replace(found[-1], times=found[-1].times + part.times)
        else:
            found.append(part)
    known = complete and all(part.parameters is not None and part.times is not None for part in found)
    least = sum(part.at_least * (part.times or 0) for part in found)
    return replace(layer, parts=tuple(found), parameters=least if known else None, at_least=least)


def with_part(layer: Layer, path: Sequence[str], new: Layer) -> Layer:
    """`layer` with the part at `path` exchanged."""
    if not path:
        return new
    parts = [with_part(part, path[1:], new) if part.name == path[0] else part for part in layer.parts]
    return summed(layer, parts, is_whole(layer))


def _alike(layer: Layer) -> tuple[object, ...]:
    plain = layer.name == "" or layer.name.isdigit()
    return (
        layer.kind,
        layer.shape,
        layer.arguments,
        layer.parameters,
        layer.parts,
        layer.at_least,
        plain or layer.name,
    )


def is_whole(layer: Layer) -> bool:
    """Whether all that a container holds so far could be told, whatever its sizes."""
    return layer.parameters is not None or any(part.parameters is None or part.times is None for part in layer.parts)


def repeated(layers: Iterable[Layer], times: int | None) -> list[Layer]:
    """Each layer as often again."""
    return [
        replace(one, times=times * one.times if times is not None and one.times is not None else None) for one in layers
    ]

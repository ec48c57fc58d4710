"""JSON: the standard decoder tells values, a walk beside it tells where they stand."""

import json
from collections.abc import Iterator

from .scalar import ConfigError, Path, Scalar, refuse_deep

_DECODER = json.JSONDecoder()


def json_scalars(text: str) -> Iterator[Scalar]:
    """Numbers, switches and strings in order. Raises: ConfigError."""
    refuse_deep(text)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from error
    found: list[Scalar] = []
    _value(text, _blank(text, 0), (), found)
    return iter(found)


def _value(text: str, at: int, path: Path, found: list[Scalar]) -> int:
    """Records the scalars of the value at `at`; the offset after it. The text is known to be valid."""
    if text[at] == "{":
        return _members(text, at, path, found)
    if text[at] == "[":
        return _items(text, at, path, found)
    value, end = _DECODER.raw_decode(text, at)
    if isinstance(value, bool | int | float | str):
        found.append(Scalar(path, value, at, end))
    return end


def _members(text: str, at: int, path: Path, found: list[Scalar]) -> int:
    at = _blank(text, at + 1)
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        colon = _blank(text, end)
        at = _blank(text, _value(text, _blank(text, colon + 1), (*path, key), found))
        if text[at] == ",":
            at = _blank(text, at + 1)
    return at + 1


def _items(text: str, at: int, path: Path, found: list[Scalar]) -> int:
    at = _blank(text, at + 1)
    index = 0
    while text[at] != "]":
        at = _blank(text, _value(text, at, (*path, index), found))
        index += 1
        if text[at] == ",":
            at = _blank(text, at + 1)
    return at + 1


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at

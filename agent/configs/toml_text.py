"""TOML: tomllib reads the file and then each line of it, so that a line counts only where both agree."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .scalar import ConfigError, Path, Scalar, refuse_deep


def toml_scalars(text: str) -> Iterator[Scalar]:
    """Values that stand on one line as `key = value`; those inside inline tables and arrays are left out.

    Raises: ConfigError.
    """
    refuse_deep(text)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"not TOML: {error}") from error
    return _lines(text, document)


def _lines(text: str, document: Mapping[str, Any]) -> Iterator[Scalar]:
    table: Path = ()
    tables: Counter[Path] = Counter()
    start = 0
    for line in text.splitlines(keepends=True):
        at, start = start, start + len(line)
        try:
            alone = tomllib.loads(line)
        except (tomllib.TOMLDecodeError, RecursionError):
            continue  # a piece of something that spans lines
        path, value = _only_entry(alone)
        if line.lstrip().startswith("["):
            table = path
            if value == [{}]:
                table = (*path, tables[path])
                tables[path] += 1
        elif isinstance(value, bool | int | float | str) and _at(document, (*table, *path)) == value:
            span = _span(line, value)
            if span:
                yield Scalar((*table, *path), value, at + span[0], at + span[1])


def _only_entry(document: Mapping[str, Any]) -> tuple[Path, Any]:
    """The path of the one key that a line sets, and its value."""
    path: list[str | int] = []
    value: Any = document
    while isinstance(value, dict) and len(value) == 1:
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path), value


def _at(document: Any, path: Path) -> Any:
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _span(line: str, value: bool | int | float | str) -> tuple[int, int] | None:
    """Where the value of `key = value  # comment` stands in its line; None when that cannot be told."""
    key, equals, rest = line.partition("=")
    start = len(key) + len(equals) + len(rest) - len(rest.lstrip())
    if not equals or '"' in key or "'" in key:
        return None
    quote = line[start]
    if quote in "\"'":
        ends = [at + 1 for at in range(start + 1, len(line)) if line[at] == quote]
    else:
        ends = [start + len(rest.strip().partition("#")[0].split()[0])]
    for end in ends:
        try:
            if tomllib.loads(f"v = {line[start:end]}") == {"v": value}:
                return start, end
        except tomllib.TOMLDecodeError:
            continue
    return None

"""The scalars of a configuration file, whatever its format, and the text with one of them changed."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...targets.errors import OperatorError
from ...targets.tunable import Value
from .json_text import json_scalars
from .scalar import ConfigError, Scalar
from .toml_text import toml_scalars
from .yaml_text import yaml_scalars

MAX_CHARACTERS = 200_000
"""Larger files are data."""

Reader = Callable[[str], Iterator[Scalar]]

READERS: dict[str, Reader] = {
    ".yaml": yaml_scalars,
    ".yml": yaml_scalars,
    ".toml": toml_scalars,
    ".json": json_scalars,
}


@dataclass(frozen=True)
class Config:
    text: str
    reader: Reader
    scalars: dict[str, Scalar]
    """By key, each unique: a repeated key gets `#2`."""

    def line(self, scalar: Scalar) -> int:
        return self.text.count("\n", 0, scalar.start) + 1


def read_config(file: str, data: bytes) -> Config:
    """The configuration in `data`, its format told by the suffix of `file`.

    Raises:
        ConfigError: too large, not text, or not what its suffix says.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8") from error
    return parse_config(text, READERS[file[file.rindex(".") :]])


def parse_config(text: str, reader: Reader) -> Config:
    """As `read_config`, for text whose format is known."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{len(text):,} characters; the limit is {MAX_CHARACTERS:,}")
    seen: Counter[str] = Counter()
    scalars: dict[str, Scalar] = {}
    for scalar in reader(text):
        seen[scalar.key] += 1
        scalars[scalar.key if seen[scalar.key] == 1 else f"{scalar.key}#{seen[scalar.key]}"] = scalar
    return Config(text, reader, scalars)


def with_value(config: Config, key: str, value: Value, literal: str) -> str:
    """The text with the scalar at `key` changed to `value`; every other character stays.

    `literal` is how the value was written by whoever asks: it is kept where the format reads it as that value.

    Raises:
        OperatorError: no spelling of the value reads back as exactly that value and leaves the others alone.
    """
    scalar = config.scalars[key]
    expected = {**{k: s.value for k, s in config.scalars.items()}, key: value}
    for spelling in _spellings(config, scalar, value, literal):
        text = config.text[: scalar.start] + spelling + config.text[scalar.end :]
        try:
            found = parse_config(text, config.reader).scalars
        except ConfigError:
            continue
        same = {k: s.value for k, s in found.items()} == expected and isinstance(found[key].value, bool) == isinstance(
            value, bool
        )
        if same and found[key].is_loose <= scalar.is_loose:
            return text
    raise OperatorError("the value cannot be written here without changing others", where=key, found=repr(value)[:80])


def _spellings(config: Config, scalar: Scalar, value: Value, literal: str) -> Iterator[str]:
    """Ways to write `value`, the one closest to what stands there first."""
    old = config.text[scalar.start : scalar.end]
    if isinstance(value, str):
        if old[:1] not in "\"'":
            yield value  # a plain YAML string stays plain
        elif literal[:1] == old[:1]:
            yield literal
        yield json.dumps(value, ensure_ascii=False)
        return
    if isinstance(value, bool):
        word = str(value) if old in {"True", "False"} else str(value).lower()
        yield {"on": "off", "off": "on", "yes": "no", "no": "yes"}.get(old, word)
        yield str(value).lower()
        return
    yield literal
    number = repr(value)
    if "e" in number and "." not in number:  # YAML 1.1 reads 1e-05 as a string
        number = number.replace("e", ".0e")
    yield number

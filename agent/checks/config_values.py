"""The values of a configuration file, loaded from text nobody vouches for."""

import json
import tomllib
from typing import Any

import yaml

from ..readable import UnreadableError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
CONFIG_SUFFIXES = (".yaml", ".yml", ".toml", ".json")


def load_config(file: str, data: bytes) -> Any:
    """What the file holds, as plain Python values.

    Raises:
        UnreadableError: too large, not text, not what its suffix says, nested too deeply, or grown by YAML aliases.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"{len(data):,} bytes; the limit is {MAX_BYTES:,}")
    try:
        text = data.decode()
        if file.endswith(".json"):
            return json.loads(text)
        if file.endswith(".toml"):
            return tomllib.loads(text)
        _refuse_aliases_and_depth(text)
        return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        raise UnreadableError(f"does not load: {reason}") from error


def _refuse_aliases_and_depth(text: str) -> None:
    # An alias of an alias of an alias is a small file and an endless value.
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MAX_DEPTH or aliases > 100:
            raise UnreadableError("nested too deeply, or too many aliases")

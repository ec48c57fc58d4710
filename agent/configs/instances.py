"""Objects that configuration files make: every mapping with a `_target_`, as a call of what it names."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ..code_map import Call
from .composed import TARGET
from .scalar import ConfigError, Path
from .text import READERS, Config, read_config


def configured_calls(sources: Mapping[str, bytes]) -> tuple[Call, ...]:
    """Each `_target_` of the configuration files as a call: `caller` is the path of its mapping, the keywords its keys."""
    found: list[Call] = []
    for file in sorted(name for name in sources if name.endswith(tuple(READERS))):
        if TARGET.encode() in sources[file]:
            try:
                found += calls_in(file, read_config(file, sources[file]))
            except ConfigError:  # read_code names a file that the code needs and nobody can read
                continue
    return tuple(found)


def calls_in(file: str, config: Config) -> Iterator[Call]:
    keywords: dict[Path, dict[str, str]] = defaultdict(dict)
    for scalar in config.scalars.values():
        for depth, name in enumerate(scalar.path):
            if isinstance(name, str) and not name.startswith("_"):
                is_own = depth == len(scalar.path) - 1
                keywords[scalar.path[:depth]].setdefault(name, str(scalar.value) if is_own else "")
    for key, scalar in config.scalars.items():
        if scalar.path[-1:] == (TARGET,) and isinstance(scalar.value, str):
            caller = key.removesuffix(TARGET).rstrip(".")
            yield Call(file, config.line(scalar), caller, scalar.value, 0, keywords[scalar.path[:-1]])

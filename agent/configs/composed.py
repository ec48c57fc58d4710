"""Hydra's composition: which configuration files a run puts together, and which of their values survive.

Only what a `defaults` list says is followed: groups, `_self_`, `override`, `optional`, `@package`. Interpolations are not
resolved, and plug-ins that add search paths are not asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from .scalar import ConfigError, Path
from .text import read_config

MAX_FILES = 200
TARGET = "_target_"
SUFFIXES = (".yaml", ".yml")


@dataclass
class Composition:
    """The files in the order they are read, and for each composed path the file and key that has the last word."""

    root: str
    files: list[str] = field(default_factory=list)
    values: dict[Path, tuple[str, str]] = field(default_factory=dict)
    made: dict[Path, str] = field(default_factory=dict)
    """For each composed mapping with a `_target_`, what that names."""

    @property
    def places(self) -> dict[tuple[str, str], Path]:
        """File and key of each value that survives, with its composed path."""
        return {place: path for path, place in self.values.items()}


def compose(root: str, name: str, sources: Mapping[str, bytes], given: Sequence[str]) -> Composition:
    """What Hydra makes of `name` below the folder `root`; `given`: the words after the script, such as `model=big`."""
    choices: dict[str, str] = {}
    for word in given:
        group, equals, choice = word.partition("=")
        if equals and not group.startswith("-"):
            choices[group.lstrip("+").partition("@")[0]] = choice
    composer = _Composer(root, sources, choices, Composition(root))
    for _ in range(2):  # an `override` deep in one file changes which file another takes: the second reading knows
        composer.result = Composition(root)
        composer.read(name, "", ())
    return composer.result


@dataclass
class _Composer:
    root: str
    sources: Mapping[str, bytes]
    choices: dict[str, str]
    """Configuration group to the option taken."""
    result: Composition

    def read(self, name: str, group: str, package: Path) -> None:
        file = self._file(f"{group}/{name}" if group else name)
        if not file or len(self.result.files) >= MAX_FILES or self.result.files.count(file) > 1:
            return
        self.result.files.append(file)
        try:
            config = read_config(file, self.sources[file])
        except ConfigError:
            return
        package = _declared_package(config.text, package)
        defaults = _defaults(config.text)
        if "_self_" not in defaults:
            defaults.append("_self_")
        named = {key for entry in defaults if isinstance(entry, dict) for key in entry}
        for entry in defaults:
            if entry == "_self_":
                own = {key: one.path for key, one in config.scalars.items() if one.path[:1] != ("defaults",)}
                self.result.values |= {(*package, *path): (file, key) for key, path in own.items()}
                named_here = {path: str(config.scalars[key].value) for key, path in own.items() if path[-1] == TARGET}
                self.result.made |= {(*package, *path[:-1]): name for path, name in named_here.items()}
            elif isinstance(entry, str):
                self.read(entry.lstrip("/"), "" if entry.startswith("/") else group, package)
            elif isinstance(entry, dict):
                for key, option in entry.items():
                    self._group(str(key), option, group, package)
        if not group:
            for added in sorted(set(self.choices) - named):  # `+experiment=a` adds a group that no list names
                self._group(f"/{added}", None, group, package)

    def _group(self, key: str, option: Any, group: str, package: Path) -> None:
        word, _, rest = key.rpartition(" ")
        name, _, at = rest.partition("@")
        whole = name.strip("/") if name.startswith("/") or not group else f"{group}/{name}"
        if "override" in word:
            if isinstance(option, str):
                self.choices.setdefault(whole, option)
            return
        chosen = self.choices.get(whole, option)
        below: Path = tuple(whole.split("/")) if name.startswith("/") or not group else (*package, *name.split("/"))
        if at:
            below = () if at == "_global_" else (*package, *(part for part in at.split(".") if part != "_here_"))
        for one in chosen if isinstance(chosen, list) else [chosen]:
            if isinstance(one, str) and one != "null":
                self.read(one, whole, below)

    def _file(self, name: str) -> str:
        bare = name.removesuffix(".yaml").removesuffix(".yml")
        paths = (f"{self.root}/{bare}{suffix}" if self.root else f"{bare}{suffix}" for suffix in SUFFIXES)
        return next((path for path in paths if path in self.sources), "")


def _declared_package(text: str, package: Path) -> Path:
    """The package that a `# @package NAME` comment above the first value gives."""
    for line in text.splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            break
        if words[1:2] == ["@package"] and len(words) > 2:
            named = words[2]
            return () if named == "_global_" else package if named == "_group_" else tuple(named.split("."))
    return package


def _defaults(text: str) -> list[Any]:
    try:
        loaded = yaml.load(_defaults_block(text), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return []
    listed = loaded.get("defaults") if isinstance(loaded, dict) else None
    return list(listed) if isinstance(listed, list) else []


def _defaults_block(text: str) -> str:
    """The lines of the `defaults` list alone, so that nothing else of the file is expanded."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("defaults:")), None)
    if start is None:
        return ""
    kept = [lines[start]]
    for line in lines[start + 1 :]:
        if line[:1] not in " -#" and line.strip():
            break
        kept.append(line)
    return "\n".join(kept)

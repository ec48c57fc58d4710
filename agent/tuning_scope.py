"""What tuning may touch: files the training command reaches, and settings that the command line leaves open."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..targets.scope import matches
from ..targets.target import ALWAYS_PROTECTED, Target
from .code_map import CodeMap, Import
from .imports import Modules, closure
from .literals import Site
from .roles import is_test

CONFIG_SUFFIXES = (".yaml", ".yml", ".toml", ".json")
CONFIG_FOLDERS = frozenset({"conf", "config", "configs"})


def entry_files(command: Sequence[str], files: Iterable[str], path: Sequence[str] = ()) -> tuple[str, ...]:
    """Python files a command runs: `python train.py`, or `python -m package.module`."""
    known = set(files)
    modules = Modules(known, path)
    found = [word.removeprefix("./") for word in command if word.endswith(".py")]
    for flag, word in pairwise(command):
        if flag == "-m":
            found += [file for name in (f"{word}.__main__", word) if (file := modules.file_of(name, ""))][:1]
    return tuple(file for file in found if file in known)


def python_files(code: CodeMap, target: Target) -> tuple[str, ...]:
    """Editable Python files that training reaches, nearest first; every one but tests when the command names none."""
    entry = entry_files(target.steps.train, code.sources, target.environment.path)
    imports: dict[str, list[Import]] = {file: [] for file in code.python_files}
    for imported in code.imports:
        imports.setdefault(imported.file, []).append(imported)
    reached = closure(entry, imports, Modules(imports, target.environment.path))
    if not reached:
        reached = tuple(file for file in code.python_files if not is_test(file))
    parsed = set(code.python_files)
    return tuple(file for file in reached if file in parsed and is_editable(file, target))


def config_files(code: CodeMap, target: Target, reached: Sequence[str]) -> tuple[str, ...]:
    """Editable configuration files that the training command or the code it reaches mentions by name."""
    text = b"\n".join([*(code.sources[file] for file in reached), " ".join(target.steps.train).encode()])
    hydra = b"import hydra" in text or b"from hydra" in text
    found = [file for file in sorted(code.sources) if file.endswith(CONFIG_SUFFIXES) and is_editable(file, target)]
    return tuple(
        file
        for file in found
        if file.rpartition("/")[2].encode() in text or (hydra and CONFIG_FOLDERS & set(file.split("/")[:-1]))
    )


def is_editable(file: str, target: Target) -> bool:
    return matches(file, target.editable) and not matches(file, (*target.protected, *ALWAYS_PROTECTED))


class GivenArguments:
    """What the target's commands already say: a tuner must not fight it, nor turn a default that is never read."""

    def __init__(self, target: Target) -> None:
        commands = [target.steps.train, target.steps.predict or (), target.steps.score or ()]
        self._options: set[str] = set()
        self._names: set[str] = set()
        for word in (word for command in commands for word in command[1:]):
            key, equals, _ = word.partition("=")
            if key.startswith("-") and len(key) > 1:
                self._options.add(key)
            if key.startswith("--") or equals:  # `--model.lr=1`, or Hydra's `optim.lr=1`
                self._names.add(_last_name(key))
        self._names.discard("")

    def covers(self, site: Site) -> bool:
        """Whether the command line sets what `site` is the default of."""
        if site.place == "option":
            return any(_same_option(given, option) for given in self._options for option in site.options)
        return self.covers_name(site.key)

    def covers_name(self, key: str) -> bool:
        return _last_name(key.partition("#")[0].partition("[")[0]) in self._names


def _same_option(given: str, option: str) -> bool:
    """argparse takes an unambiguous beginning of a long option for the option."""
    given, option = given.replace("_", "-"), option.replace("_", "-")
    return given == option or (len(given) > 4 and given.startswith("--") and option.startswith(given))


def _last_name(key: str) -> str:
    return key.lstrip("-+~").rpartition(".")[2].replace("-", "_").lower()

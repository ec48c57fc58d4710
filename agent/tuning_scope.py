"""What tuning may touch: files the training command reaches, and settings that the command line leaves open."""

import ast
import posixpath
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..targets.scope import matches
from ..targets.target import ALWAYS_PROTECTED, Target
from .code_map import Call, CodeMap, Import
from .configs.composed import Composition, compose
from .configs.instances import configured_calls
from .facts import MAX_TEXT
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
    """Editable Python files that training reaches by imports or by a `_target_` of its configuration, nearest first;
    every one but tests when the command names none."""
    entry = entry_files(target.steps.train, code.sources, target.environment.path)
    imports: dict[str, list[Import]] = {file: [] for file in code.python_files}
    for imported in code.imports:
        imports.setdefault(imported.file, []).append(imported)
    modules = Modules(imports, target.environment.path)
    reached = closure(entry, imports, modules)
    if reached:
        made = (modules.file_of(call.callee.rpartition(".")[0], "") for call in configured(code, target))
        reached = closure((*reached, *(file for file in made if file)), imports, modules)
    if not reached:
        reached = tuple(file for file in code.python_files if not is_test(file))
    parsed = set(code.python_files)
    return tuple(file for file in reached if file in parsed and is_editable(file, target))


def composition(code: CodeMap, target: Target) -> Composition | None:
    """The configuration that Hydra puts together for the training command; None when its script does not ask for one."""
    words = target.steps.train
    entry = entry_files(words, code.sources, target.environment.path)
    for call in code.calls:
        if call.callee != "hydra.main" or call.file not in entry:
            continue
        asked = {key: string_of(call.keywords.get(key, "")) for key in ("config_path", "config_name")}
        named = [value for flag, value in pairwise(words) if flag in {"-cn", "--config-name"}]
        name = named[-1] if named else asked["config_name"]
        if asked["config_path"] and name:
            root = posixpath.normpath(posixpath.join(posixpath.dirname(call.file), asked["config_path"]))
            return compose("" if root == "." else root, name, code.sources, words[1:])
    return None


def configured(code: CodeMap, target: Target) -> tuple[Call, ...]:
    """What the configuration of the training command makes: of the files composed when Hydra composes them, else of all."""
    composed = composition(code, target)
    return tuple(call for call in configured_calls(code.sources) if composed is None or call.file in composed.files)


def string_of(text: str) -> str:
    """The value of a string literal's source; empty for anything else."""
    try:
        value = ast.literal_eval(text) if len(text) < MAX_TEXT else None
    except (ValueError, SyntaxError):
        return ""
    return value if isinstance(value, str) else ""


def config_files(
    code: CodeMap, target: Target, reached: Sequence[str], composed: Composition | None = None
) -> tuple[str, ...]:
    """Editable configuration files that Hydra composes, or that the training command or the code it reaches mentions by
    name."""
    text = b"\n".join([*(code.sources[file] for file in reached), " ".join(target.steps.train).encode()])
    hydra = composed is None and (b"import hydra" in text or b"from hydra" in text)
    listed = set(composed.files) if composed else set()
    found = [file for file in sorted(code.sources) if file.endswith(CONFIG_SUFFIXES) and is_editable(file, target)]
    return tuple(
        file
        for file in found
        if file in listed
        or (not in_hydra(file, composed) and file.rpartition("/")[2].encode() in text)
        or (hydra and CONFIG_FOLDERS & set(file.split("/")[:-1]))
    )


def in_hydra(file: str, composed: Composition | None) -> bool:
    """Whether `file` stands among the files that Hydra chooses from."""
    return bool(composed and composed.root and file.startswith(f"{composed.root}/"))


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

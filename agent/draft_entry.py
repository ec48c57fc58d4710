"""Finds the script that trains, and how a command line gives it a seed and a folder to write to."""

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

from ..targets.errors import UsageError
from .code_map import CodeMap, Import
from .dotted import dotted_name
from .draft_metric import find_metrics
from .imports import Modules, closure
from .literal_values import literal_value
from .roles import is_test
from .words import said, words

SEED = frozenset({"seed", "random state", "random seed"})
OUT = frozenset({
    "out", "output", "out dir", "outdir", "output dir", "work dir", "workdir", "save dir", "log dir", "logdir",
    "result dir", "results dir", "results", "run dir", "checkpoint dir", "ckpt dir", "save path", "output path",
    "model dir", "output folder", "logs", "save",
})  # fmt: skip
NAMES = {
    "train": 6,
    "main": 4,
    "run": 3,
    "training": 4,
    "fit": 3,
    "pretrain": 2,
    "finetune": 2,
    "cli": 1,
    "experiment": 2,
}
NOT_NAMES = frozenset(
    "test tests predict inference evaluate eval sample generate demo plot preprocess download setup convert export docs "
    "visualize benchmark".split()
)


@dataclass(frozen=True)
class Declared:
    """A command-line option, with or without a default."""

    options: tuple[str, ...]
    required: bool
    takes_value: bool
    default: str = ""
    """Text of a default that is a string."""

    @property
    def file_name(self) -> str:
        """The default's last part when it names a file, not a folder."""
        last = self.default.rpartition("/")[2]
        return last if "." in last.strip(".") else ""


@dataclass(frozen=True)
class Entry:
    file: str
    closure: tuple[str, ...]
    """Files that training reaches, the script first."""
    options: tuple[Declared, ...]
    others: tuple[str, ...]
    """Other scripts that train."""

    def option(self, phrases: frozenset[str]) -> Declared | None:
        """The option whose name is, or ends in, one of `phrases`."""
        for declared in self.options:
            name = declared.options[0]
            phrase = said(words(name), phrases) if declared.takes_value and name.startswith("-") else ""
            if phrase and " ".join(words(name)).endswith(phrase):
                return declared
        return None

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(declared.options[0] for declared in self.options if declared.required)


def find_entry(code: CodeMap) -> Entry:
    """The script that most likely trains.

    Raises:
        UsageError: no Python file, none that could be read, or none that trains when run.
    """
    python = sorted(file for file in code.sources if file.endswith(".py"))
    if not python:
        raise UsageError(
            "no Python file", wanted="a repository with Python code", found=f"{len(code.sources)} text files"
        )
    if not code.python_files:
        found = "; ".join(f"{one.file}: {one.reason}" for one in code.unread[:3])
        raise UsageError("no Python file could be read", found=found)
    imports: dict[str, list[Import]] = {file: [] for file in code.python_files}
    for imported in code.imports:
        if imported.file in imports:
            imports[imported.file].append(imported)
    modules = Modules(imports)
    trains = {symbol.file for symbol in code.with_role("training_step")}
    scored: list[tuple[int, str, tuple[str, ...]]] = []
    for file in code.python_files:
        reached = closure([file], imports, modules)
        score = _score(code, file, reached, trains)
        if score is not None:
            scored.append((-score, file, reached))
    if not scored:
        looked = ", ".join(code.python_files[:8]) + (
            f" and {len(code.python_files) - 8} more" if len(code.python_files) > 8 else ""
        )
        raise UsageError(
            "no script that trains was found",
            wanted='a file with `if __name__ == "__main__"` whose code, or what it imports, takes optimizer steps or calls fit',
            found=looked,
            fix="write target.toml by hand: steps.train names the command",
        )
    scored.sort()
    _, file, reached = scored[0]
    options = tuple(option for one in reached for option in declared_options(code.module(one)))
    return Entry(file, reached, options, tuple(other for _, other, _ in scored[1:6]))


def _score(code: CodeMap, file: str, reached: Sequence[str], trains: set[str]) -> int | None:
    """How likely `file` is the script that trains; None when it is not one."""
    source = code.sources[file]
    at_top = code.symbol(file, "")
    trainers = {symbol.name.rpartition(".")[2] for symbol in code.with_role("training_step")} - {""}
    top_level = bool(at_top and "training_step" in at_top.roles) or any(
        call.file == file and not call.caller and call.callee.rpartition(".")[2] in trainers for call in code.calls
    )
    is_main = (b"__main__" in source and b"__name__" in source) or file.endswith("__main__.py")
    if is_test(file) or not (is_main or top_level) or not trains & set(reached):
        return None
    name = words(file.rpartition("/")[2].removesuffix(".py"))
    score = max((points for word, points in NAMES.items() if word in name), default=0)
    score -= 8 * bool(NOT_NAMES & set(words(file)))
    score += 3 * any(metric.rank > 0 for metric in find_metrics(code, [file]))
    score += 3 * (file in trains) + 2 * (b"ArgumentParser" in source or b"click" in source)
    return score - 2 * file.count("/")


def declared_options(module: cst.Module) -> tuple[Declared, ...]:
    """Options of argparse and click that a file declares; positional arguments come as required options without dashes."""
    found: list[Declared] = []
    for call in m.findall(module, m.Call()):
        if not isinstance(call, cst.Call):
            continue
        last = dotted_name(call.func).rpartition(".")[2]
        texts = [literal_value(a.value) for a in call.args if not a.keyword and not a.star]
        spelled = [text for text in texts if isinstance(text, str)]
        if last not in {"add_argument", "option"} or not spelled:
            continue
        keywords = {a.keyword.value: literal_value(a.value) for a in call.args if a.keyword}
        dashed = sorted((text for text in spelled if text[:1] == "-"), key=lambda text: not text.startswith("--"))
        flag = (
            str(keywords.get("action", "")).startswith(("store_", "count", "help", "version"))
            or keywords.get("is_flag") is True
        )
        optional = bool(dashed) or keywords.get("nargs") in {"?", "*"}
        required = keywords.get("required") is True or not optional
        default = keywords.get("default")
        found.append(
            Declared(tuple(dashed or spelled), required, not flag, default if isinstance(default, str) else "")
        )
    return tuple(found)

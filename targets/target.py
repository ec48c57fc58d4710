"""What is studied, as data: `target.toml`, validated. Evaluation logic lives here, where no candidate reaches it."""

import json
import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from .errors import TargetError
from .mistakes import first_mistake
from .tunable import Value

PLACEHOLDERS = {
    "train": {"seed", "data", "out", "length"},
    "predict": {"seed", "model", "inputs", "out"},
    "score": {"predictions", "labels", "out", "nonce"},
}

# Files that steer the interpreter, the tests or the build: no candidate may touch them, whatever `editable` says. Byte
# code would run in place of the source that was checked.
ALWAYS_PROTECTED = (
    "**/.git*", "**/conftest.py", "**/pytest.ini", "**/tox.ini", "**/setup.cfg", "**/setup.py",
    "**/pyproject.toml", "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "**/*.lock",
    "**/requirements*.txt", "**/requirements*.in", "**/requirements/*.txt", "**/requirements/*.in",
    "**/constraints*.txt", "**/pylock*.toml", "**/Pipfile", "**/environment.yml", "**/environment.yaml", "target.toml",
    "**/__pycache__", "**/*.pyc",
)  # fmt: skip


def duration(value: object) -> object:
    """Seconds from `90`, `"90s"`, `"30m"`, `"1h30m"`; anything else is left for pydantic to refuse."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", value.strip())
    if not match or not any(match.groups()):
        raise ValueError("a duration such as 90s, 30m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


Seconds = Annotated[float, BeforeValidator(duration), Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Command = Annotated[tuple[Text, ...], Field(min_length=1)]
Globs = tuple[Text, ...]
SeedList = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Steps(_Part):
    """Argument lists, never shell strings. `python` as first word is the environment's interpreter.

    With `predict` and `score` the judge is out of the candidate's reach. With `train` alone the candidate's own
    process reports its metric: accepted, and labelled `integrity: same-process` everywhere.
    """

    train: Command
    """May use {seed}, {data} (training data, read-only) and {out} (the only writable folder); with [rungs], {length}."""
    predict: Command | None = None
    """May use {seed}, {model} (what train wrote), {inputs} (a split without labels) and {out}."""
    score: Command | None = None
    """Run from the base commit, never from a candidate. May use {predictions}, {labels}, {out} and {nonce}."""


class Metric(_Part):
    name: Text
    direction: Literal["maximize", "minimize"]
    file: Text = "metrics.json"
    """JSON object written to {out} by the last step; `name` is looked up at its top level. May also hold
    `per_example`: a list of finite numbers whose mean is the metric, in the order of the labels; `groups`: the group of each
    of them (a user, a document), where examples of one group are not independent of each other; and `slices`: an object of
    finite numbers by name, each the metric on one part of the examples, for guards to protect."""
    wanted_effect: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The smallest gain worth finding, in the metric's unit. A run whose plan could not find it is refused before the search."""
    stdout: str | None = None
    """For same-process targets that print their metric: a regular expression with one group; the last match counts."""


Measure = Literal["latency", "train_seconds", "memory", "model_bytes"]


class Guard(_Part):
    """What must not get worse while the metric gets better: one of `metric`, `slice`, `measure` and `command`.

    Judged on the runs that judge the metric, seed by seed against the untouched code: a search trial that breaks a guard is
    not kept, and a winner that breaks one on fresh seeds is not accepted. A value that is not there breaks it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    metric: Text | None = None
    """A number at the top level of the metrics file, such as `recall`. Needs `direction`."""
    slice: Text | None = None
    """A name in `slices` of the metrics file: the metric on that part may not fall. Its direction is the metric's."""
    measure: Measure | None = None
    """What branchlab measures from outside; less is better. `latency`: seconds of the predict step. `train_seconds`: of
    the train step. `memory`: peak MB of the run. `model_bytes`: size of what train wrote, the parameter count times the
    bytes of each where a model is stored plain."""
    command: Command | None = None
    """Run once on a candidate's tree, in the sandbox, before it is kept; exit code 0 passes. Its seconds are charged to
    the arm. Its files should be out of `editable`. It runs the candidate's code, which could end it with any exit code: it
    finds honest mistakes, not fraud. May use {data} and {out}, the only writable folder."""
    direction: Literal["maximize", "minimize"] | None = None
    tolerance: Annotated[Finite, Field(ge=0)] | None = None
    """How much worse the mean may be, in the value's own unit; this or `relative` for all but commands."""
    relative: Annotated[Finite, Field(ge=0)] | None = None
    """The same as a share of the untouched code's mean: 0.1 lets a latency grow by a tenth."""

    @property
    def kind(self) -> str:
        return next((k for k in ("metric", "slice", "measure", "command") if getattr(self, k) is not None), "")


class Split(_Part):
    inputs: Text
    """Folder or file without labels: relative to target.toml, or `repo:PATH` for one of the base commit."""
    labels: Text


class Splits(_Part):
    """Search picks, confirm decides on fresh seeds, sealed opens once per run."""

    search: Split
    confirm: Split
    sealed: Split


class Seeds(_Part):
    search: SeedList = (0, 1)
    confirm: SeedList = (100, 101, 102, 103, 104, 105, 106, 107)
    """Fresh ones, shared by every arm. A gain of one branch can be accepted from six seeds on, gains of four arms' winners together
    from eight on (evals/acceptance.py)."""


class Limits(_Part):
    """What one step may use."""

    timeout: Seconds = 600.0
    memory_mb: int = Field(default=4096, gt=0)
    disk_mb: int = Field(default=1024, gt=0)
    processes: int = Field(default=256, gt=0)
    threads: int = Field(default=1, gt=0)
    """OMP_NUM_THREADS and its kin inside: one device slot is this many cores."""
    gpu: bool = False
    """Each step runs on a GPU that no other run holds; without one on the host nothing runs."""
    gpu_memory_mb: int | None = Field(default=None, gt=0)
    """Memory of that GPU a step may use; all of it when not given."""


class Environment(_Part):
    """The interpreter and surroundings the target's code runs in."""

    python: str | None = None
    """Interpreter with the target's dependencies; the one that runs branchlab when not given. Not with `requirements`."""
    requirements: tuple[Text, ...] = ()
    """Files of the repository that say what to install: pip's requirement files (`.txt`, `.in`), or a pyproject.toml, of
    which `project.dependencies` counts. An environment is built from them, as they are at the base commit, once."""
    base_python: str | None = None
    """Interpreter to build that environment with; the one that runs branchlab when not given. With `requirements`."""
    allow_dependency_changes: bool = False
    """A candidate may change the files of `requirements`. It then has an environment of its own to train and predict in,
    whose building is charged to its arm; the score is always taken in that of the base commit."""
    env: dict[str, str] = Field(default_factory=dict)
    path: tuple[str, ...] = ()
    """Folders of the repository to put on PYTHONPATH."""
    hide: tuple[str, ...] = ()
    """Folders below site-packages that the sandbox shows empty, such as a data set a library ships with labels."""
    warm: bool = True
    """Steps may start in a process that has imported their installed modules already, where the sandbox can do that."""
    writable_tree: bool = False
    """The code writes into its own folder: it gets a throw-away copy to do so."""


Length = Annotated[int, Field(gt=0)]


class Rungs(_Part):
    """Lengths of training, in whatever steps.train takes for {length}: epochs, steps, examples.

    The judge fills {length} in, so no candidate can change what it was given; code that pays no heed to it is not found
    out here. The code's own default should be `full`.
    """

    smoke: Length = 1
    """Just long enough to show that the code does not crash; its score counts for nothing."""
    short: Length
    """Long enough to rank candidates: how well is measured, and the less it ranks, the more of them go on to `full`."""
    full: Length
    """What scores are quoted at."""
    scale_up: int = Field(default=4, ge=2)
    """After the confirmation the winners run once more at this many times the full length: does the gain hold?"""
    eta: float = Field(default=3.0, ge=1.5, allow_inf_nan=False)
    """At best one in eta candidates goes on from `short` to `full`."""

    def length(self, rung: str) -> int:
        """What {length} is at `smoke`, `short`, `full` or `scale_up`."""
        lengths = {"smoke": self.smoke, "short": self.short, "full": self.full, "scale_up": self.full * self.scale_up}
        return lengths[rung]


class TunableOverride(_Part):
    enabled: bool = True
    low: Finite | None = None
    high: Finite | None = None
    log: bool | None = None
    choices: tuple[Value, ...] | None = None


class Target(_Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    description: str = ""
    repo: Text = "repo"
    """Folder relative to target.toml, absolute path, or git URL."""
    commit: Text | None = None
    """Base commit; HEAD of `repo` when not given. Required for a URL."""
    steps: Steps
    metric: Metric
    data: Text | None = None
    """What {data} shows: training data only. Relative to target.toml, or `repo:PATH`."""
    splits: Splits | None = None
    hidden: Globs = ()
    """Globs of the repository left out of every candidate's tree, such as committed test labels."""
    editable: Annotated[Globs, Field(min_length=1)]
    """Globs of files a candidate may change, such as `src/**` and `!src/evaluate.py`: `!` takes files out again."""
    protected: Globs = ()
    """Globs no candidate may change, such as the evaluator; kept apart from `editable`."""
    seeds: Seeds = Seeds()
    limits: Limits = Limits()
    guards: tuple[Guard, ...] = ()
    """`[[guards]]`: what must not get worse beyond a tolerance."""
    environment: Environment = Environment()
    rungs: Rungs | None = None
    """Shorter lengths that candidates climb on their way to a full run; without it every run is a full one."""
    budget: Seconds = 600.0
    force: bool = False
    """Search even where the budget cannot find `metric.wanted_effect`."""
    model_dollars: float = Field(default=5.0, ge=0)
    """Hard cap on what a language model may cost in one run."""
    tuner: Text = "tpe"
    """Which search the tuning arms use: tpe, cmaes, gp, random, or asha (also called hyperband), which needs [rungs]."""
    device_dollars_per_hour: Annotated[Finite, Field(ge=0)] | None = None
    """What an hour of one device slot costs, for the dollars of each arm; without it only language models are counted."""
    tunables: dict[str, TunableOverride] = Field(default_factory=dict)
    """Overrides by tunable name, as `branchlab map` prints them; `enabled = false` takes one out."""

    _home: Path = PrivateAttr(default=Path())
    _dependency_files: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def home(self) -> Path:
        """The folder target.toml was read from; relative paths start here."""
        return self._home

    @property
    def dependency_files(self) -> frozenset[str]:
        """Files of the repository that say what is installed: those named, and in a run those they include too."""
        return self._dependency_files | frozenset(self.environment.requirements)

    @cached_property
    def integrity(self) -> Literal["separate", "same-process"]:
        """Whether candidate code ever runs in the process that reports the metric."""
        return "separate" if self.steps.score else "same-process"


def read_target(path: Path) -> Target:
    """The target described by a target.toml, given as that file or as its folder.

    Raises: TargetError for the first mistake, in one line: file, key, what was wanted, what was found.
    """
    from .rules import check_rules  # late: the rules are about the classes above

    file = path / "target.toml" if path.is_dir() else path
    try:
        # Strict JSON rules: the text "600" is no number and 1 is no switch, but a list may become a tuple.
        body = json.dumps(_parse(file), default=str)
        target = Target.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise first_mistake(error, Target, str(file)) from None
    target._home = file.resolve().parent
    check_rules(target, str(file))
    return target


def _parse(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise TargetError("there is no target.toml", where=str(file), fix="branchlab init PATH_OF_REPOSITORY") from None
    except OSError as error:
        raise TargetError("cannot be read", found=error.strerror or str(error), where=str(file)) from None
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#x} at offset {error.start}"
        raise TargetError("not UTF-8 text", found=found, where=str(file)) from None
    except tomllib.TOMLDecodeError as error:
        raise TargetError("not valid TOML", found=str(error), where=str(file)) from None

"""One number, switch or choice of the target's code that a tuner may turn."""

from dataclasses import dataclass

Value = float | int | bool | str


@dataclass(frozen=True, slots=True)
class Tunable:
    """A literal of the code, where it stands, and the range it may move in.

    `name` identifies it across commits: `train.py::LEARNING_RATE`, `model.py::Net.__init__.Dropout.p`,
    `config.yaml::optim.lr`. The same literal on an edited branch keeps its name though its line moves.
    """

    name: str
    file: str
    line: int
    type: str
    """`float`, `int`, `bool` or `str`."""
    default: Value
    rule: str
    """The rule that found it and gave the range, in words a user can check."""
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Value, ...] | None = None
    """Closed set of values; then `low`, `high` and `log` do not apply."""

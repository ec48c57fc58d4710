"""One column of predictions: an answer for each example, along the first axis of an array."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]
    Columns = Mapping[str, Array]

Kind = Literal["class indices", "class scores", "rankings", "real values", "rows"]
ANSWERS = frozenset(
    "prediction predictions predicted pred preds answer answers output outputs label labels score scores prob probs "
    "probability probabilities logit logits response responses hypothesis items ranking rankings y yhat".split()
)
KEYS = frozenset(
    "id ids idx index indices key keys uid uids qid qids name names example examples row rows user users sample file "
    "filename path question questions input inputs prompt text query queries".split()
)
LARGEST = 2**62
"""Integers beyond this stay Python's own."""


def kind_of(column: "Array") -> Kind:
    """What the answers are, from their type and shape alone.

    `class indices`: one integer, truth value or text each; `class scores`: a row of two or more floats each; `rankings`: a
    row of two or more integers without a repeat each; `real values`: one float each, or floats of any other shape; `rows`:
    anything else, such as a row of zeros and ones.
    """
    import numpy as np

    if column.dtype.kind == "f":
        return "class scores" if column.ndim == 2 and column.shape[1] > 1 else "real values"
    if column.ndim == 1:
        return "class indices"
    if column.dtype.kind in "iu" and column.ndim == 2 and column.shape[1] > 1:
        ordered = np.sort(column, axis=1)
        if (ordered[:, 1:] != ordered[:, :-1]).all():
            return "rankings"
    return "rows"


def column_of(values: Sequence[object]) -> "Array":
    """A list of answers as an array: of numbers where all of one shape are numbers, else of Python's own values."""
    import numpy as np

    flat: list[object] = list(values)
    if flat and all(isinstance(v, list) for v in flat) and len({len(v) for v in flat if isinstance(v, list)}) == 1:
        inner = [item for value in flat if isinstance(value, list) for item in value]
        if inner and (dtype := _number_type(inner)):
            return np.array(flat, dtype=dtype)
    elif dtype := _number_type(flat):
        return np.array(flat, dtype=dtype)
    column = np.empty(len(flat), dtype=object)
    for at, value in enumerate(flat):
        column[at] = value
    return column


def _number_type(values: Sequence[object]) -> type | None:
    if all(isinstance(v, bool) for v in values):
        return bool
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        return None
    if all(isinstance(v, int) for v in values):
        return int if all(abs(v) < LARGEST for v in values if isinstance(v, int)) else None
    return float


def answers_of(columns: "Columns") -> tuple[str, ...]:
    """Names of the columns that are answers; the others say which example a row is of, and are left as they are.

    Those whose names say so; where none does, all that do not name or repeat the example.
    """
    if len(columns) == 1:
        return tuple(columns)
    named = tuple(name for name in columns if _words(name) & ANSWERS)
    return named or tuple(name for name in columns if not _words(name) & KEYS)


def says_column(name: str) -> bool:
    """Whether a name is one that people give to a column of predictions."""
    return bool(_words(name) & (ANSWERS | KEYS))


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))

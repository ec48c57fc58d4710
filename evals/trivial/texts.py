"""Columns of a CSV, JSON or JSONL file, and a way back to text of the same form."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...sandbox.files import strict_json
from ...targets.errors import ArtifactError
from .column import column_of, says_column
from .errors import NotUnderstood

if TYPE_CHECKING:
    from .column import Array, Columns

Parsed = "tuple[dict[str, Array], Callable[[Columns], bytes]]"
MOST_COLUMNS = 1000
SCORES = "scores"
"""Two or more columns of floats in a CSV file are one column of class scores."""


def read_csv(data: bytes, delimiter: str = ",") -> "tuple[dict[str, Array], Callable[[Columns], bytes]]":
    """Columns by heading, or by number where there is no heading. Raises: NotUnderstood."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotUnderstood(f"not a CSV file: {str(error)[:200]}") from None
    rows = [row for row in rows if row]
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) > MOST_COLUMNS:
        raise NotUnderstood("not a table: its rows are not of one length")
    heading = _heading(rows)
    names = heading or [str(number) for number in range(len(rows[0]))]
    if len(set(names)) < len(names):
        raise NotUnderstood("two columns of one name")
    columns = {name: _cells([row[at] for row in rows[len(heading) > 0 :]]) for at, name in enumerate(names)}
    together = [name for name, column in columns.items() if column.dtype.kind == "f"]
    grouped = _stacked(columns, together) if len(together) > 1 else columns

    def write(changed: "Columns") -> bytes:
        flat = {name: changed[SCORES][:, at] for at, name in enumerate(together)} if len(together) > 1 else {}
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        if heading:
            writer.writerow(heading)
        lists = [(flat[name] if name in flat else changed[name]).tolist() for name in names]
        writer.writerows(
            [repr(cell) if isinstance(cell, float) else cell for cell in row] for row in zip(*lists, strict=True)
        )
        return text.getvalue().encode()

    return grouped, write


def _stacked(columns: "Columns", together: Sequence[str]) -> "dict[str, Array]":
    import numpy as np

    whole = np.stack([columns[name] for name in together], axis=1)
    return {**{name: column for name, column in columns.items() if name not in together}, SCORES: whole}


def _heading(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first row where none of its cells is a number, and it names columns or stands above numbers."""
    first = rows[0]
    if len(rows) < 2 or any(_number(cell) is not None for cell in first):
        return []
    above_numbers = any(_number(cell) is not None for cell in rows[1])
    return list(first) if above_numbers or any(says_column(cell) for cell in first) else []


def _number(cell: str) -> int | float | None:
    for convert in (int, float):
        try:
            value = convert(cell)
        except ValueError:
            continue
        return value if math.isfinite(value) else None
    return None


def _cells(cells: Sequence[str]) -> "Array":
    values = [_number(cell) for cell in cells]
    return column_of(list(cells) if any(value is None for value in values) else values)


def read_jsonl(data: bytes) -> "tuple[dict[str, Array], Callable[[Columns], bytes]]":
    """As `read_json` of the list of all lines. Raises: NotUnderstood."""
    columns, back = _listed([_json(line) for line in data.split(b"\n") if line.strip()])
    return columns, lambda changed: "".join(json.dumps(row) + "\n" for row in back(changed)).encode()


def read_json(data: bytes) -> "tuple[dict[str, Array], Callable[[Columns], bytes]]":
    """Columns of a list of answers, a list of objects, an object of lists, or an object from example to answer.

    An object of lists is one of columns where a key says so (`predictions`, `ids`), else it goes from example to answer.
    Raises: NotUnderstood.
    """
    value = _json(data)
    if isinstance(value, list):
        columns, back = _listed(value)
        return columns, lambda changed: json.dumps(back(changed)).encode()
    if not isinstance(value, dict) or not value:
        raise NotUnderstood("neither a list nor an object of answers")
    if not any(says_column(key) for key in value):
        keys = list(value)
        columns, back = _listed(list(value.values()))
        return columns, lambda changed: json.dumps(dict(zip(keys, back(changed), strict=True))).encode()
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list)}
    if not lists:
        raise NotUnderstood("an object without a list of answers")
    columns = {key: column_of(inner) for key, inner in lists.items()}
    return columns, lambda changed: json.dumps({**value, **{k: changed[k].tolist() for k in lists}}).encode()


def _listed(values: Sequence[object]) -> "tuple[dict[str, Array], Callable[[Columns], list[object]]]":
    rows = [value for value in values if isinstance(value, dict)]
    if rows and len(rows) == len(values):
        names = list(rows[0])
        if not names or len(names) > MOST_COLUMNS or any(set(row) != set(names) for row in rows):
            raise NotUnderstood("objects that do not have the same keys")
        columns = {name: column_of([row[name] for row in rows]) for name in names}
        return columns, lambda changed: _rows({name: changed[name].tolist() for name in names})
    return {"": column_of(values)}, lambda changed: list(changed[""].tolist())


def _rows(lists: Mapping[str, Sequence[object]]) -> list[object]:
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _json(data: bytes) -> object:
    try:
        return strict_json(data)
    except ArtifactError as error:
        raise NotUnderstood(str(error)) from None

"""The untouched code's predictions as a form to fill in: which columns are answers, and how to write others in their place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...sandbox.files import read_regular, regular_files
from ...targets.errors import ArtifactError
from .column import answers_of
from .errors import NotUnderstood
from .npz import read_npz, write_npz
from .texts import read_csv, read_json, read_jsonl

if TYPE_CHECKING:
    from .column import Array, Columns

MOST_BYTES = 64 * 1024 * 1024
FORMATS = "npz, csv, tsv, json, jsonl"


@dataclass(frozen=True)
class Template:
    file: str
    """Name of the only file, relative to the folder of predictions."""
    answers: "dict[str, Array]"
    """Columns that hold answers, by name; the first axis is the example."""
    fill: "Callable[[Columns], bytes]"
    """The file with other answers of the same shape and type; everything else in it as it was."""

    @property
    def examples(self) -> int:
        return len(next(iter(self.answers.values())))


def read_template(folder: Path) -> Template:
    """The template in a folder of frozen predictions. Raises: NotUnderstood."""
    file, columns, write = read_columns(folder)
    lists = {name: column for name, column in columns.items() if column.ndim}
    if len({len(column) for column in lists.values()}) != 1:
        raise NotUnderstood("columns of different lengths")
    answers = {name: lists[name] for name in answers_of(lists)}
    if not answers or len(next(iter(answers.values()))) < 2:
        raise NotUnderstood("no column of two or more answers")
    for column in answers.values():
        if column.size == 0 or (column.dtype.kind == "f" and not _finite(column)):
            raise NotUnderstood("answers that are empty or not finite")
    return Template(file, answers, lambda changed: write({**columns, **changed}))


def read_columns(place: Path) -> "tuple[str, dict[str, Array], Callable[[Columns], bytes]]":
    """Name, columns, and how to write it with other columns, of a file or of the only file in a folder.

    Raises: NotUnderstood.
    """
    try:
        names = [name for name, _ in regular_files(place)] if place.is_dir() else [place.name]
        if len(names) != 1:
            raise NotUnderstood(f"{len(names)} files, and nothing says which of them holds the answers")
        data = read_regular(place if place.is_dir() else place.parent, names[0], MOST_BYTES)
    except (ArtifactError, OSError) as error:
        raise NotUnderstood(str(error)) from None
    return names[0], *_parsed(names[0], data)


def _finite(column: "Array") -> bool:
    import numpy as np

    return bool(np.isfinite(column).all())


def _parsed(name: str, data: bytes) -> "tuple[dict[str, Array], Callable[[Columns], bytes]]":
    match PurePosixPath(name).suffix.lower():
        case ".npz":
            return read_npz(data, MOST_BYTES), write_npz
        case ".csv":
            return read_csv(data)
        case ".tsv":
            return read_csv(data, "\t")
        case ".json":
            return read_json(data)
        case ".jsonl" | ".ndjson":
            return read_jsonl(data)
        case suffix:
            raise NotUnderstood(f"predictions are a {suffix or 'nameless'} file, and only {FORMATS} are understood")

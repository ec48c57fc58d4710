"""Trials and records as the text and bytes the ledger stores, and back, exactly."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..sandbox.runner import GpuUse
from ..targets.errors import LedgerError
from .trial import ProposalRecord, Run, Score, Trial, Verdict

RunStatus = Literal["running", "interrupted", "done", "failed", "budget_exhausted", "no_signal"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of the whole loop: what was asked for, and where it stands."""

    id: str
    target: str
    commit: str
    """The base commit, 40 hex digits."""
    created: float
    """Seconds since the epoch."""
    status: RunStatus = "running"
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only."""


def to_text(value: object) -> str:
    """JSON of a row's body, sorted, ASCII only (a NUL or a lone surrogate in hostile text survives any database).

    Raises: LedgerError for a number that is not finite or a value JSON does not have.
    """
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise LedgerError("a row holds a value the ledger cannot keep", found=str(error)) from error


def encode_run(record: RunRecord) -> str:
    return to_text(asdict(record))


def decode_run(body: str) -> RunRecord:
    return RunRecord(**json.loads(body))


def encode_trial(trial: Trial) -> tuple[str, bytes]:
    """Body, and the per-example values of all runs, each followed by its groups, as little-endian doubles.

    The values are kept apart because thousands of floats cost milliseconds as text and microseconds as bytes.
    """
    runs, blob = [], bytearray()
    for run in trial.runs:
        values = run.score.per_example if run.score else None
        groups = run.score.groups if run.score else None
        counts = {"examples": None if values is None else len(values), "grouped": groups is not None}
        runs.append(asdict(_bare(run)) | counts)
        numbers = (*(values or ()), *(groups or ()))
        blob += struct.pack(f"<{len(numbers)}d", *numbers)
    body = asdict(replace(trial, runs=(), ladder=())) | {
        "runs": runs,
        "ladder": [asdict(_bare(r)) for r in trial.ladder],
    }
    return to_text(body), bytes(blob)


def decode_trial(body: str, blob: bytes) -> Trial:
    fields = json.loads(body)
    runs, at = [], 0
    for row in fields.pop("runs"):
        count = row.pop("examples")
        values = None if count is None else struct.unpack_from(f"<{count}d", blob, at)
        at += 8 * (count or 0)
        groups = None
        if row.pop("grouped", False):
            groups = tuple(map(int, struct.unpack_from(f"<{count}d", blob, at)))
            at += 8 * (count or 0)
        runs.append(_run(row, values, groups))
    ladder = tuple(_run(row, None) for row in fields.pop("ladder", ()))
    verdicts = tuple(Verdict(**verdict) for verdict in fields.pop("verdicts"))
    return Trial(**fields, runs=tuple(runs), ladder=ladder, verdicts=verdicts)


def _bare(run: Run) -> Run:
    return replace(run, score=replace(run.score, per_example=None, groups=None)) if run.score else run


def _run(row: dict[str, Any], per_example: tuple[float, ...] | None, groups: tuple[int, ...] | None = None) -> Run:
    score = row.pop("score")
    made = Score(**{**score, "per_example": per_example, "groups": groups}) if score else None
    return Run(**row | {"gpu": decode_gpu(row.get("gpu"))}, score=made)


def decode_gpu(plain: Mapping[str, Any] | None) -> GpuUse | None:
    """From what `asdict` and JSON made of it; None for a run without a GPU, or of a version that did not know of any."""
    return GpuUse(**{**plain, "devices": tuple(plain["devices"])}) if plain else None


def encode_proposal(record: ProposalRecord) -> str:
    return to_text(asdict(record))


def decode_proposal(body: str) -> ProposalRecord:
    fields = json.loads(body)
    evidence = tuple((file, line, note) for file, line, note in fields.pop("evidence"))
    edits = tuple(fields.pop("edits"))
    return ProposalRecord(**fields, evidence=evidence, edits=edits)

"""A model's answer about one symbol, and what of it is believed: only what the files bear out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import Field, ValidationError

from ...targets.errors import OperatorError
from ..operators.apply import apply_edits
from ..prompt_blocks import one_line, printable
from ..proposal import Edit, Evidence
from ..proposers.answered import LITERAL_OPERATORS, EditAnswer, Strict, json_part
from ..proposers.defects import Finding
from .context import Context

DETECTOR = "model"
FEWEST_QUOTED = 3
"""Characters that are no blank: `)` stands on any line."""


class EvidenceAnswer(Strict):
    file: str = Field(max_length=400)
    line: int
    quote: str = Field(max_length=1000)


class DefectAnswer(Strict):
    symbol: str = Field(max_length=400)
    title: str = Field(max_length=200)
    rationale: str = Field(max_length=2000)
    evidence: list[EvidenceAnswer] = Field(min_length=1, max_length=6)
    edits: list[EditAnswer] = Field(default=[], max_length=6)
    probe: str = Field(default="", max_length=100)


class Answer(Strict):
    defects: list[DefectAnswer] = Field(default=[], max_length=8)


@dataclass
class Judged:
    """What came of one or more answers. Reasons for what was dropped are kinds of failure, so that they can be counted."""

    findings: list[Finding] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def judge(
    text: str, context: Context, sources: Mapping[str, bytes], editable: Callable[[str], bool], judged: Judged
) -> None:
    """Adds to `judged` what the answer `text` names about what `context` showed."""
    try:
        answer = Answer.model_validate_json(json_part(text))
    except ValidationError:
        judged.drop("an answer that does not follow the schema")
        return
    for defect in answer.defects:
        reason = _doubt(defect, context, sources)
        if reason:
            judged.drop(reason)
        else:
            judged.findings.append(_finding(defect, sources, editable, judged))


def _doubt(defect: DefectAnswer, context: Context, sources: Mapping[str, bytes]) -> str:
    """Why a defect is not believed; empty when every line of its evidence is there."""
    for evidence in defect.evidence:
        quote = " ".join(evidence.quote.split())
        if len(quote.replace(" ", "")) < FEWEST_QUOTED:
            return "a quote that says nothing"
        lines = sources.get(evidence.file, b"").decode("utf-8", "replace").split("\n")
        if not 1 <= evidence.line <= len(lines) or quote not in " ".join(lines[evidence.line - 1].split()):
            return "a quote that is not on the line it names"
        if not any(shown.holds(evidence.file, evidence.line) for shown in context.shown):
            return "evidence in lines that were not shown"
    return "" if one_line(defect.title) else "no title"


def _finding(
    defect: DefectAnswer, sources: Mapping[str, bytes], editable: Callable[[str], bool], judged: Judged
) -> Finding:
    edits = tuple(answered.edit for answered in defect.edits)
    if reason := _unfit(edits, sources, editable):
        judged.drop(reason)
        edits = ()
    first = defect.evidence[0]
    evidence = tuple(Evidence(one.file, one.line, one_line(one.quote)[:200]) for one in defect.evidence)
    return Finding(
        DETECTOR,
        first.file,
        first.line,
        one_line(defect.symbol),
        one_line(defect.title)[:72].rstrip(),
        printable(defect.rationale),
        edits,
        evidence,
        confidence="low",
        probe=one_line(defect.probe),
    )


def _unfit(edits: tuple[Edit, ...], sources: Mapping[str, bytes], editable: Callable[[str], bool]) -> str:
    """Why edits are left out of a finding, which is then shown and not tried."""
    if any(not editable(edit.file) for edit in edits):
        return "edits of a file that may not change"
    if any(edit.operator in LITERAL_OPERATORS for edit in edits):
        return "edits that are the tuner's"
    try:
        if edits:
            apply_edits(sources, edits)
    except OperatorError:
        return "edits that do not apply"
    return ""

"""The audit of the evaluator, by reading: ways in which a score can be better than the predictions it is for.

A new question is a file and a line in QUESTIONS.
"""

from ...targets.target import Target
from ..code_map import CodeMap
from ..proposers.defects.program import Program
from .base import AuditFinding as AuditFinding
from .base import Question as Question
from .direction import Direction
from .failure_default import FailureDefault
from .gold_labels import GoldLabels
from .hard_coded import HardCodedAnswers
from .reach import EvaluatorInReach
from .scene import Scene as Scene
from .selection import SelectedOnTest
from .stale_results import StaleResults
from .unsafe_load import UnsafeLoad

_ALL: tuple[Question, ...] = (
    UnsafeLoad(),
    EvaluatorInReach(),
    GoldLabels(),
    HardCodedAnswers(),
    FailureDefault(),
    Direction(),
    SelectedOnTest(),
    StaleResults(),
)
QUESTIONS: dict[str, Question] = {question.name: question for question in _ALL}
"""By name, what can move a number most first."""


def audit(code: CodeMap, target: Target) -> tuple[AuditFinding, ...]:
    """What every question finds in the base commit: high severity first, then in the order of the table, then by place."""
    scene = Scene(target, code, Program.of(code))
    found: list[AuditFinding] = []
    for question in QUESTIONS.values():
        found += sorted(dict.fromkeys(question.ask(scene)), key=lambda finding: (finding.file, finding.line))
    return tuple(sorted(found, key=lambda finding: finding.severity != "high"))

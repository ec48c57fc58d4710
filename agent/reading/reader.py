"""The reader: one question a symbol, the most suspicious first, until calls or dollars are used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from ...targets.errors import ModelBudgetError
from ..code_map import CodeMap
from ..models.base import Message, Model, ModelRequest
from ..prompt_blocks import listed
from ..proposers.answered import operators_told
from ..proposers.defects import Finding, Program
from .answers import Answer, Judged, judge
from .context import Context
from .subjects import subjects_of

CALLS = 12
"""Symbols a run asks about, one call each."""


@dataclass(frozen=True, slots=True)
class Reading:
    findings: tuple[Finding, ...] = ()
    """All of low confidence: what a model says is a suspicion, until a probe or a trial settles it."""
    asked: int = 0
    """Calls made, one for each symbol."""
    left: int = 0
    """Symbols that would have been worth a question, beyond the calls."""
    characters: int = 0
    """Of source that was shown, in all calls."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Reason to how often: defects without evidence that holds, edits that do not apply, answers without form."""
    stopped: str = ""
    """Why no more was asked, where it was not the number of calls."""

    def in_words(self) -> str:
        """One sentence for a person."""
        said = [
            f"the model read {self.asked} symbols ({self.characters:,} characters of source), {self.left} were left"
        ]
        said.append(f"{len(self.findings)} suspicions")
        said += [f"dropped: {count} {reason}" for reason, count in sorted(self.dropped.items())]
        return "; ".join(said + ([self.stopped] if self.stopped else []))


class ModelReader:
    """`editable` says which files a find's edits may touch; `probes` are names a find may ask for."""

    def __init__(
        self, model: Model, editable: Callable[[str], bool] = lambda _file: True, probes: Sequence[str] = ()
    ) -> None:
        self._model, self._editable, self._probes = model, editable, probes

    def read(self, code: CodeMap, findings: Sequence[Finding]) -> Reading:
        """What the model names in `code` beyond `findings`, with evidence that was checked.

        Raises: ModelError when the endpoint gives no answer.
        """
        program = Program.of(code)
        subjects = subjects_of(code, program, findings)
        known = {(finding.file, finding.line) for finding in findings}
        judged, asked, characters, stopped = Judged(), 0, 0, ""
        for number, subject in enumerate(subjects[:CALLS]):
            context = Context(program, subject)
            try:
                completion = self._model.complete(self._request(code, context, number))
            except ModelBudgetError as error:
                stopped = str(error)
                break
            asked, characters = asked + 1, characters + context.characters
            if completion.finish_reason in ("length", "too long"):
                judged.drop("an answer that was cut off")
            else:
                judge(completion.text, context, code.sources, self._editable, judged)
        new = {(f.file, f.line, f.title): f for f in judged.findings if (f.file, f.line) not in known}
        return Reading(tuple(new.values()), asked, len(subjects) - asked, characters, judged.dropped, stopped)

    def _request(self, code: CodeMap, context: Context, number: int) -> ModelRequest:
        allowed = sorted(file for file in code.sources if self._editable(file))
        parts = {
            "OPERATORS": operators_told(),
            "FILES THAT MAY CHANGE": listed(allowed),
            "PROBES": listed(self._probes),
        }
        system = (files("branchlab.agent") / "prompts" / "read_system.md").read_text(encoding="utf-8")
        messages = (Message("system", system), Message("user", context.question(parts)))
        return ModelRequest(messages, Answer.model_json_schema(), temperature=0.2, seed=number)

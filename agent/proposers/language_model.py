"""Edits proposed by a language model that reads the code map, as JSON that only operators can turn into changes."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from statistics import fmean
from typing import Literal

from pydantic import Field, ValidationError

from ...evals.trial import ProposalRecord, Trial
from ...targets.errors import ModelBudgetError
from ..code_map import CodeMap, Role, Symbol
from ..models.base import Message, Model, ModelRequest
from ..prompt_blocks import blocks, listed, one_line, printable, row, short
from ..proposal import Evidence, Proposal
from .answered import LITERAL_OPERATORS, EditAnswer, Strict, json_part, operators_told

RETRIES = 2
SOURCE_CHARACTERS = 24_000
"""Of source shown: about 6,000 tokens."""
HISTORY_ROWS = 40
ECHO = 8000
"""Characters of a refused answer that are shown to its author again."""
WHOLE = "the answer"
"""Title of a failure that is no single proposal's."""
ROLE_ORDER: tuple[Role, ...] = (
    "model", "training_step", "loss", "data", "evaluation", "prompt", "retrieval", "memory", "llm_call", "loop", "metric",
    "optimizer",
)  # fmt: skip


class ProposalAnswer(Strict):
    kind: Literal["bug_fix", "architecture", "prompt", "data"]
    title: str = Field(max_length=200)
    rationale: str = Field(max_length=4000)
    edits: list[EditAnswer] = Field(min_length=1, max_length=12)


class Answer(Strict):
    proposals: list[ProposalAnswer] = Field(max_length=12)


class LanguageModelProposer:
    """`validate` says why a proposal cannot be used, or nothing; `on_failure` hears of each that never could be.

    `suspects` gives what a static reader suspects in the code, one line each; `editable` says which files may change;
    `task` is what is run and measured.
    """

    name = "language_model"

    def __init__(
        self,
        model: Model,
        validate: Callable[[Proposal], str],
        on_failure: Callable[[str, str], None],
        suspects: Callable[[CodeMap], Sequence[str]] = lambda _code: (),
        editable: Callable[[str], bool] = lambda _file: True,
        task: str = "",
    ) -> None:
        self._model, self._validate, self._on_failure = model, validate, on_failure
        self._suspects, self._editable, self._task = suspects, editable, task

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        """Proposals that apply and stay in scope; what does not goes back with the reason, at most twice.

        Raises: ModelError when the endpoint gives no answer, ModelBudgetError when nothing may be asked any more.
        """
        messages = [
            Message("system", _prompt("propose_system")),
            Message("user", self._user(code, history, tried, limit)),
        ]
        good: dict[str, Proposal] = {}
        failed: dict[str, str] = {}
        for turn in range(RETRIES + 1):
            request = ModelRequest(tuple(messages), Answer.model_json_schema(), seed=len(tried) + turn)
            try:
                completion = self._model.complete(request)
            except ModelBudgetError:
                if turn == 0:
                    raise
                break  # what came before the cap is paid for
            found, problems = self._read(completion.text, completion.finish_reason, code.commit)
            good |= {proposal.id: proposal for proposal in found}
            # A correction keeps its title; what a later answer leaves out stays failed, for its own reason.
            mended = {proposal.title for proposal in found} | (set() if WHOLE in problems else {WHOLE})
            failed = {title: reason for title, reason in failed.items() if title not in mended} | problems
            if not problems:
                break
            told = blocks({"PROBLEMS": listed(f"- {title}: {reason}" for title, reason in problems.items())})
            messages.append(Message("assistant", completion.text[:ECHO] or "(an empty answer)"))
            messages.append(Message("user", _prompt("propose_retry").replace("{problems}", told)))
        for title, reason in failed.items():
            self._on_failure(title, reason)
        return list(good.values())[:limit]

    def _read(self, text: str, finish: str, commit: str) -> tuple[list[Proposal], dict[str, str]]:
        """Usable proposals, and the reason against each of the rest by its title."""
        if finish in ("length", "too long"):
            return [], {WHOLE: "it was cut off: too long; fewer and smaller edits fit"}
        try:
            answer = Answer.model_validate_json(json_part(text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return [], {WHOLE: one_line(f"not JSON that follows the schema: {where}: {first['msg']}")[:300]}
        good: list[Proposal] = []
        bad: dict[str, str] = {}
        for body in answer.proposals:
            proposal = _to_proposal(body, commit, self.name)
            forbidden = sorted({edit.operator for edit in body.edits} & LITERAL_OPERATORS)
            reason = f"{forbidden[0]} is the tuner's" if forbidden else self._validate(proposal)
            if reason:
                bad[proposal.title] = reason
            else:
                good.append(proposal)
        return good, bad

    def _user(self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], limit: int) -> str:
        parts = {
            "WHAT IS RUN AND MEASURED": self._task,
            "OPERATORS": operators_told(),
            "FILES THAT MAY CHANGE": listed(file for file in sorted(code.sources) if self._editable(file)),
            "SYMBOLS": listed(_line(s) for s in code.symbols),
            "SUSPICIONS OF A STATIC READER": listed(self._suspects(code)),
            "SOURCE": _sources(code),
            "TRIED BEFORE": _tried(history, tried),
        }
        return f"{blocks(parts)}\n\nPropose at most {limit} edits, best first."


def _prompt(name: str) -> str:
    return (files("branchlab.agent") / "prompts" / f"{name}.md").read_text(encoding="utf-8")


def _to_proposal(body: ProposalAnswer, commit: str, name: str) -> Proposal:
    edits = tuple(answered.edit for answered in body.edits)
    evidence = tuple(Evidence(e.file, 1, e.symbol) for e in edits)
    title = one_line(body.title)[:72].rstrip() or "Edit proposed by a language model"
    return Proposal(body.kind, title, printable(body.rationale), edits, evidence, name, commit)


def _line(symbol: Symbol) -> str:
    roles = f" [{', '.join(sorted(symbol.roles))}]" if symbol.roles else ""
    return f"{symbol.file}:{symbol.line} {symbol.kind} {short(symbol.name, 120)}{short(symbol.signature, 160)}{roles}"


def _sources(code: CodeMap) -> str:
    """Source of the symbols that matter, whole symbols only, until the room is used."""

    def rank(symbol: Symbol) -> tuple[int, str, int]:
        order = [i for i, role in enumerate(ROLE_ORDER) if role in symbol.roles]
        return (min(order, default=len(ROLE_ORDER)), symbol.file, symbol.line)

    shown: list[str] = []
    covered: list[tuple[str, int, int]] = []
    room = SOURCE_CHARACTERS
    for symbol in sorted(code.symbols, key=rank):
        inside = any(f == symbol.file and a <= symbol.line and symbol.end_line <= b for f, a, b in covered)
        if symbol.kind == "constant" or inside or symbol.file not in code.sources:
            continue
        lines = code.sources[symbol.file].decode("utf-8", "replace").split("\n")[symbol.line - 1 : symbol.end_line]
        text = f"# {symbol.file}:{symbol.line} {symbol.name}\n" + "\n".join(lines)
        if len(text) <= room:
            shown.append(text)
            covered.append((symbol.file, symbol.line, symbol.end_line))
            room -= len(text)
    return "\n\n".join(shown)


def _tried(history: Sequence[Trial], tried: Sequence[ProposalRecord]) -> str:
    by_proposal = {trial.proposal_id: trial for trial in history}
    rows = []
    for record in list(tried)[-HISTORY_ROWS:]:
        trial = by_proposal.get(record.id)
        scores = [run.score.value for run in trial.runs if run.score] if trial else []
        score = f"{fmean(scores):.5g}" if scores else "no score"
        reason = next((v.reason for v in trial.verdicts if not v.passed), "") if trial else record.outcome
        decision = trial.decision if trial else "not run"
        rows.append(row(record.kind, record.title, score, decision, reason[:160]))
    return "\n".join(rows)

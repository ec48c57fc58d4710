"""The language model of one run, charged, capped and recorded: it reads, and it proposes."""

import shlex
from dataclasses import replace
from functools import partial

from ..targets.errors import OperatorError
from ..targets.scope import matches
from ..targets.target import Target
from .checks import CHECKS
from .checks.base import Change
from .checks.kind import prove_kind
from .code_map import CodeMap
from .events import ModelCharged, Note, ProposalRefused
from .lab import Lab
from .models import Budgeted, Completion, Model, Remembering, answers_in, make_model, price_ceiling
from .models.scripted import NOTHING
from .operators.apply import apply_edits
from .proposal import Proposal
from .proposers.base import Proposer
from .proposers.defects import Finding, find_defects
from .proposers.language_model import LanguageModelProposer
from .proposers.reading import ReadingProposer
from .reading.reader import ModelReader, Reading
from .records import to_record


def charged_model(lab: Lab) -> Model:
    """The run's model. Its answers are kept in `cassette.jsonl` of the run before anything is made of them: `replay:` can
    repeat the run without a key, and a resumed run asks and pays for nothing twice."""
    ledger = lab.journal.ledger

    def charge(answer: Completion) -> None:
        ledger.charge_model(
            lab.run_id, "edits", model=answer.model, input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens, dollars=answer.dollars, purpose="propose",
        )  # fmt: skip
        lab.say(ModelCharged("edits", answer.model, answer.input_tokens, answer.output_tokens, answer.dollars))

    cassette = lab.folder / "cassette.jsonl"
    answers = answers_in(cassette)
    for _, answer in answers[ledger.model_cost(lab.run_id).calls :]:
        charge(answer)  # a stop came between the answer and its charge
    before = ledger.model_cost(lab.run_id)
    capped = Budgeted(
        make_model(lab.options.model, record=cassette, given=sum(answer.text != NOTHING for _, answer in answers)),
        lab.target.model_dollars,
        charge,
        ceiling=price_ceiling(lab.options.model),
        spent=before.dollars,
        unpriced=before.unpriced_calls,
    )
    return Remembering(capped, dict(answers))


def modelled(lab: Lab, model: Model) -> Proposer:
    """The proposer that asks the model for edits; what it gets wrong is written down."""

    def validate(proposal: Proposal) -> str:
        before = lab.code(proposal.parent).sources
        try:
            after = apply_edits(before, proposal.edits)
        except OperatorError as error:
            return str(error)
        change = Change({f: before.get(f) for f in after}, dict(after), {**before, **after})
        verdicts = (check.judge(lab.target, change) for check in CHECKS.values())
        reason = next((f"{v.gate}: {v.reason}" for v in verdicts if not v.passed), "")
        literals = prove_kind(change.before, change.after, proposal.kind) == "hyperparameter"
        return reason or ("it only moves literals, which is the tuner's work" if literals else "")

    def on_failure(title: str, reason: str) -> None:
        parent, number = lab.checkout.base, len(lab.journal.proposals()) + len(lab.refused)
        failed = Proposal("bug_fix", title[:72], "", (), proposer="language_model", parent=f"{parent}:failed:{number}")
        record = to_record(lab.run_id, "edits", failed)
        lab.refused.append(replace(record, parent=parent, outcome=f"model: {reason}"))
        lab.say(ProposalRefused("edits", title, reason))

    def suspects(code: CodeMap) -> list[str]:
        return [f"{f.file}:{f.line} {f.title}" for f in find_defects(code)]

    return LanguageModelProposer(
        model,
        validate,
        on_failure,
        suspects,
        partial(_editable, lab.target),
        _task(lab.target),
    )


def reading(lab: Lab, model: Model) -> Proposer:
    """The proposer of what the model suspects after reading the base commit, which it does once, when first asked."""
    kept: list[Reading] = []

    def findings() -> tuple[Finding, ...]:
        if not kept:
            code = lab.code(lab.checkout.base)
            kept.append(ModelReader(model, partial(_editable, lab.target)).read(code, find_defects(code)))
            shown = [{"file": f.file, "line": f.line, "title": f.title, "rationale": f.rationale, "edits": len(f.edits)}
                     for f in kept[0].findings]  # fmt: skip
            said = kept[0].in_words()
            lab.journal.ledger.update_settings(lab.run_id, model_reading=said, model_findings=shown)
            lab.say(Note(said))
        return kept[0].findings

    return ReadingProposer(findings)


def _editable(target: Target, file: str) -> bool:
    return matches(file, target.editable) and not matches(file, target.protected)


def _task(target: Target) -> str:
    """What is run and measured, in the target's own words."""
    steps = [(name, argv) for name in ("train", "predict", "score") if (argv := getattr(target.steps, name))]
    commands = [f"{name}: {shlex.join(argv)}" for name, argv in steps]
    return "\n".join([f"{target.metric.direction} {target.metric.name}", *commands])

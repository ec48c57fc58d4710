"""Small edits of prompts that often help and cost one trial each: format, length, order."""

from collections.abc import Iterator, Sequence

from ...evals.trial import ProposalRecord, Trial
from ...targets.errors import OperatorError
from ..code_map import CodeMap, Prompt
from ..operators.apply import apply_edits
from ..proposal import Edit, Evidence, Proposal
from .prompt_use import is_prompt

SHORTEST = "Give the shortest answer that is complete, and nothing else."
FORMAT = "Write only the answer itself: no explanation, no heading, no quotation marks."
ASKED = ("question", "query", "input", "task", "problem", "text", "message", "request")
"""Placeholder names that carry what is asked."""
LENGTH_WORDS = frozenset("short shortest brief briefly concise concisely words sentence".split())
FORMAT_WORDS = frozenset("format json only exactly yaml xml csv".split())
CONSTRAINT_WORDS = frozenset("must only never not exactly always avoid".split())
MIN_PHRASE = 12


class PromptsProposer:
    """For every prompt of the code: an answer format, the shortest answer, the constraint beside the question."""

    name = "prompts"

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        known = {record.id for record in tried}
        found = [
            proposal
            for prompt in code.prompts
            if is_prompt(code, prompt, _phrase(prompt.text))
            for proposal in self._proposals(code, prompt)
            if proposal.id not in known and _applies(code, proposal)
        ]
        return found[:limit]

    def _proposals(self, code: CodeMap, prompt: Prompt) -> Iterator[Proposal]:
        place = f"{prompt.file}::{prompt.symbol}" if prompt.symbol else prompt.file
        for title, why, edit in (*_instructions(prompt), *_moves(prompt)):
            yield Proposal(
                kind="prompt",
                title=title,
                rationale=why,
                edits=(edit,),
                evidence=(Evidence(prompt.file, prompt.line, f"prompt in {place}"),),
                proposer=self.name,
                parent=code.commit,
            )


def _instructions(prompt: Prompt) -> Iterator[tuple[str, str, Edit]]:
    words = {word.strip(".,:;!?\"'()").lower() for word in prompt.text.split()}
    if not words & LENGTH_WORDS:
        yield (
            "Ask for the shortest answer",
            "The prompt sets no length. Metrics that compare answers with references punish every extra word.",
            _edit(prompt, "add_instruction", {"instruction": SHORTEST}),
        )
    if not words & FORMAT_WORDS:
        yield (
            "Say what the answer must look like",
            "The prompt names no format, so what surrounds the answer varies from call to call.",
            _edit(prompt, "add_instruction", {"instruction": FORMAT}),
        )


def _moves(prompt: Prompt) -> Iterator[tuple[str, str, Edit]]:
    lines = [line.strip() for line in prompt.text.split("\n")]
    question = next((i for i, line in enumerate(lines) if _carries_question(line, prompt.fields)), None)
    if question is None:
        return
    for i, line in enumerate(lines):
        words = {word.strip(".,:;!?\"'()").lower() for word in line.split()}
        if len(words) < 4 or "{" in line or not words & CONSTRAINT_WORDS or i == question:
            continue
        where = "after" if i < question else "before"
        yield (
            f"Move a constraint {where} the question",
            "Models weigh what stands close to the end and to the question differently; order costs nothing to try.",
            _edit(prompt, "move_prompt_line", {"line": line, "anchor": lines[question], "where": where}),
        )


def _carries_question(line: str, fields: Sequence[str]) -> bool:
    return any(f"{{{field}" in line and any(word in field.lower() for word in ASKED) for field in fields) or (
        "{{" in line and any(f"{{{{ {field}" in line or f"{{{{{field}" in line for field in fields)
    )


def _edit(prompt: Prompt, operator: str, arguments: dict[str, str]) -> Edit:
    if not prompt.file.endswith(".py"):
        return Edit(f"{operator}_file", prompt.file, "", arguments)
    phrase = arguments.get("line") or _phrase(prompt.text)
    return Edit(operator, prompt.file, prompt.symbol, {"phrase": phrase, **arguments})


def _phrase(text: str) -> str:
    """The longest stretch near the end that is spelled in the source as in the text: no escape, no field."""
    plain = text
    for mark in "\\{}\"'\t":
        plain = plain.replace(mark, "\n")
    stretches = [piece for piece in plain.split("\n") if len(piece) >= MIN_PHRASE]
    return max(stretches[-2:], key=len, default="")


def _applies(code: CodeMap, proposal: Proposal) -> bool:
    try:
        apply_edits(code.sources, proposal.edits)
    except OperatorError:
        return False
    return True

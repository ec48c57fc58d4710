"""Single ideas and their combinations, as proposals: likelihood, corruption and depth interact."""

from collections.abc import Sequence
from itertools import combinations

from ....evals.trial import Trial
from ....targets.errors import OperatorError
from ...code_map import CodeMap
from ...proposal import Proposal
from .ideas import Idea
from .tidy import with_constants_dropped

LARGEST = 3


def combined(ideas: Sequence[Idea], code: CodeMap, history: Sequence[Trial], *, proposer: str) -> list[Proposal]:
    """Proposals for every idea, every pair and every triple whose edits apply, best first.

    Until singles are measured: ideas that stand alone, then pairs of the most promising, then singles. Afterwards the
    combinations with the most kept members come first. A discarded member rules nothing out: removing layers hurts
    alone and helps beside corrupted input.
    """
    kept = {trial.proposal_id for trial in history if trial.decision == "keep"}
    kept_singles: set[int] = set()
    ranked: list[tuple[tuple[int, float], Proposal]] = []
    for size in range(1, LARGEST + 1):
        for group in combinations(range(len(ideas)), size):
            members = [ideas[i] for i in group]
            if size > 1 and any(idea.alone for idea in members):
                continue
            try:
                proposal = _proposal(members, code, proposer)
            except OperatorError:
                continue  # Two ideas that want the same lines: each is proposed alone.
            if size == 1 and proposal.id in kept:
                kept_singles.add(group[0])
            support = len(kept_singles.intersection(group)) if size > 1 else 0
            ranked.append(((-support, sum(group) / size + _ORDER[size]), proposal))
    return [proposal for _, proposal in sorted(ranked, key=lambda item: item[0])]


# Positions count down the list of ideas, so a group's mean position says how promising it is; a pair of neighbours
# goes before its own second member, a triple last.
_ORDER = {1: 0.0, 2: -0.6, 3: 2.0}


def _proposal(ideas: Sequence[Idea], code: CodeMap, proposer: str) -> Proposal:
    title = ideas[0].title if len(ideas) == 1 else "Combine " + ", ".join(idea.short for idea in ideas)
    return Proposal(
        kind="architecture",
        title=title,
        rationale="\n\n".join(idea.rationale for idea in ideas),
        edits=with_constants_dropped(code, tuple(edit for idea in ideas for edit in idea.edits)),
        evidence=tuple(dict.fromkeys(item for idea in ideas for item in idea.evidence)),
        proposer=proposer,
        parent=code.commit,
    )

"""A branch made by a person or another tool enters the same road as a proposal of our own."""

from dataclasses import dataclass

from ...evals.claim import Claim, parse_claim
from ...targets.checkout import Checkout
from ...targets.errors import UsageError
from ..checks.base import Change
from ..checks.kind import prove_kind
from ..proposal import Candidate, Evidence, Proposal


@dataclass(frozen=True, slots=True)
class BranchCandidate:
    candidate: Candidate
    change: Change
    """What the checks are asked about."""
    claim: Claim | None
    """What the message of the branch's tip says was measured."""


def candidate_of(checkout: Checkout, base: str, branch: str) -> BranchCandidate:
    """The branch's commit as a candidate against `base`, its kind proved on the syntax tree.

    Raises:
        UsageError: there is no such branch, it does not descend from `base`, it holds nothing that `base` does not, or its
            tip's claim is malformed.
    """
    commit = checkout.resolve(branch)
    files = checkout.changed(base, commit)
    if not files:
        raise UsageError(f"{branch} does not differ from its base", found=commit[:12], wanted=f"changes to {base[:12]}")
    if not checkout.is_ancestor(base, commit):
        raise UsageError(
            f"{branch} is not a descendant of its base",
            wanted=f"{base[:12]} among its ancestors",
            found=commit[:12],
            fix="rebase the branch onto it, or leave --base out to compare with where the branch left",
        )
    claim = parse_claim(checkout.message(commit))
    old, new = checkout.files(base), checkout.files(commit)
    change = Change(
        before={f: checkout.read(base, f) if f in old else None for f in files},
        after={f: checkout.read(commit, f) if f in new else None for f in files},
        tree=checkout.tree(commit),
    )
    proposal = Proposal(
        kind="bug_fix",
        title=f"Branch {branch}"[:72],
        rationale="Proposed as a branch.",
        edits=(),
        evidence=tuple(Evidence(f, 1, "changed") for f in files),
        proposer="branch",
        parent=base,
    )
    kind = prove_kind(change.before, change.after, proposal.kind)
    return BranchCandidate(Candidate(proposal, commit, checkout.diff(base, commit), kind, tuple(files)), change, claim)

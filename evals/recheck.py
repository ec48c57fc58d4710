"""Whether a claim survives a second measurement: the gain is there, and it is not smaller than luck lets the claim be wrong."""

import math
from dataclasses import dataclass

from .claim import Claim, Effect
from .difference import Difference
from .trial import Verdict

_ROUNDING = 1e-5
"""Share of an effect that a claim's six digits may be off by."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A claimed effect beside the one that was measured again; both positive when better."""

    claimed: float
    measured: float | None
    limit: float | None
    """The largest effect an honest claim would show beside this measurement; None when that gave no interval."""
    holds: bool
    reason: str


def recheck(claim: Effect, gain: Difference) -> Recheck:
    """A claim holds when (1) the interval measured again lies above 0 and (2) the claimed effect is no larger than

        m + h * sqrt(1 + n / k)

    with m and h the mean and half the 95 % interval measured again over n seeds, and k the seeds of the claim. This is the
    upper prediction limit for the mean of k further observations (Hahn & Meeker 1991, section 4.8): for two honest
    measurements of one effect, (claimed - m) / (s sqrt(1/n + 1/k)) follows Student's t with n - 1 degrees, so at most 2.5 %
    of honest claims over independent seeds are refused by (2); fewer where seeds are shared. Replications are judged by
    prediction intervals, since the first estimate is as noisy as the second (Patil, Peng & Leek 2016); asking only that it
    lies inside the new confidence interval would refuse about one honest claim in six. The spread s is the one seen here:
    the claim's own interval is part of the claim, and who widens it must not have it easier.

    One-sided: a branch that turned out better than it says holds its claim.
    """
    if gain.mean is None or gain.low is None or gain.high is None:
        return Recheck(claim.mean, gain.mean, None, False, f"not measured again: {gain.method}")
    half = (gain.high - gain.low) / 2
    limit = gain.mean + half * math.sqrt(1 + gain.n / len(claim.seeds))
    if not gain.better:
        reason = f"the gain is not there: {gain.mean:+.4g} [{gain.low:+.4g}, {gain.high:+.4g}] is not above 0"
        return Recheck(claim.mean, gain.mean, limit, False, reason)
    if claim.mean > limit + _ROUNDING * abs(claim.mean):
        reason = f"{claim.mean:+.4g} was claimed, and an honest measurement would have shown at most {limit:+.4g}"
        return Recheck(claim.mean, gain.mean, limit, False, reason)
    return Recheck(
        claim.mean, gain.mean, limit, True, f"{claim.mean:+.4g} was claimed, {gain.mean:+.4g} was measured again"
    )


def same_facts(claim: Claim, found: Claim) -> tuple[Verdict, ...]:
    """Whether the claim is about what is here: one verdict for each of its facts, `found` being the truth.

    A claim that is about something else lies about this branch, whatever was measured of that.
    """
    facts = (
        ("target", claim.target, found.target),
        ("base", claim.base, found.base),
        ("content", claim.tree, found.tree),
        ("metric", f"{claim.metric} ({claim.direction})", f"{found.metric} ({found.direction})"),
    )
    return tuple(
        Verdict(
            f"claim: {name}",
            said == true,
            f"{said} as claimed"
            if said == true
            else f"the claim is about another {name}: {said}, and here it is {true}",
        )
        for name, said, true in facts
    )

"""A comparison in words: the one sentence, and what a reader must know before believing it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .acceptance import ALPHA, Standing
from .difference import Difference, sign_flip_floor
from .equal_compute import SEARCH_ARMS
from .trial import Arm, Trial
from .trivial.card import start_alarm, start_of

if TYPE_CHECKING:
    from .compare import ArmResult, Comparison

NAMES: dict[Arm, str] = {
    "rerun": "reruns of the untouched code",
    "random": "random search", "tuner": "hyperparameter tuning", "edits": "code edits", "edits+tuner": "both together",
    "review": "the reviewed branch",
}  # fmt: skip
TPE_STARTUP = 10
"""Trials that a TPE tuner draws at random before it models anything; of runs that do not say which tuner they had."""


def sentence(comparison: "Comparison") -> str:
    """The verdict: what each arm gained over the untouched code, and whether edits and tuning can be told apart."""
    target = _one_line(comparison.run.target)
    if comparison.no_signal:
        return f"For {target}, nothing was confirmed: no arm has a score on fresh seeds to hold against the untouched code."
    gains = [(arm, arm.gain) for name in ("edits", "tuner", "edits+tuner", "review") if (arm := comparison.arm(name))]
    parts = [f"{NAMES[arm.arm]} gained {_signed(gain)}" for arm, gain in gains if gain and gain.mean is not None]
    seeds = max((gain.n for _, gain in gains if gain), default=0)
    return (
        f"For {target}, {_compute(comparison)}{_listed(parts)} {_one_line(comparison.metric)} over the untouched code "
        f"on {seeds} fresh seeds: {_conclusion(comparison)}{_not_accepted(comparison)}."
    )


def _not_accepted(comparison: "Comparison") -> str:
    broken = [f"{NAMES[arm.arm]} (guard {', '.join(arm.broken)})" for arm in comparison.arms if arm.broken]
    return f"; not accepted, for breaking what must not get worse: {_listed(broken)}" if broken else ""


def _compute(comparison: "Comparison") -> str:
    check = comparison.equal_compute
    if len(check.seconds) < 2:
        return ""
    if check.equal:
        return f"at equal compute ({max(check.seconds.values()):.0f} device seconds an arm), "
    if check.within and check.allowed is not None:
        less = {arm: s for arm, s in sorted(check.seconds.items()) if s < check.allowed * (1 - check.tolerance)}
        used = ", ".join(f"{arm} used {seconds:.0f}" for arm, seconds in less.items())
        return f"with {check.allowed:.0f} device seconds for each arm ({used}), "
    return (
        f"at unequal compute ({min(check.seconds.values()):.0f} to {max(check.seconds.values()):.0f} device seconds), "
    )


def _conclusion(comparison: "Comparison") -> str:
    better = [NAMES[arm.arm] for arm in comparison.arms if accepted(arm)]
    worse = [NAMES[a.arm] for a in comparison.arms if a.gain and a.gain.high is not None and a.gain.high < 0]
    open_ = [NAMES[a.arm] for a in comparison.arms if _unfinished(a)]
    apart = comparison.edits_minus_tuner
    if open_:
        return f"undecided ({_listed(open_)}: not all planned seeds have run)"
    if apart is None or apart.mean is None:
        parts = [f"{_listed(better)} beat the untouched code"] if better else []
        parts += [f"{_listed(worse)} did worse than the untouched code"] if worse else []
        return _listed(parts) or "a tie with the untouched code"
    first: tuple[Arm, Arm] = ("edits", "tuner") if apart.mean > 0 else ("tuner", "edits")
    if not apart.tie and NAMES[first[0]] in better:
        return f"{NAMES[first[0]]} beat {NAMES[first[1]]} by {_magnitude(apart)}"
    if not apart.tie:
        return f"{NAMES[first[0]]} did better than {NAMES[first[1]]} by {_magnitude(apart)}, but was not accepted as better than the untouched code"
    tail = "" if better or worse else ", and neither can be told apart from the untouched code"
    return f"code edits against tuning is a tie (difference {_signed(apart)}){tail}"


def caveats_of(comparison: "Comparison", trials: Sequence[Trial]) -> tuple[str, ...]:
    """What limits the verdict, each in one sentence, most serious first."""
    return (
        *_trust(comparison, trials),
        *_compute_caveats(comparison, trials),
        *determinism_caveats(comparison.run.settings.get("determinism") or {}),
        *_seed_caveats(comparison),
        *_luck(comparison),
        *_split_caveats(comparison),
        *_acceptance(comparison),
    )


def _trust(comparison: "Comparison", trials: Sequence[Trial]) -> Iterator[str]:
    if comparison.run.settings.get("integrity") == "same-process":
        yield (
            "integrity: same-process. The code under study reports its own metric, so a candidate could forge it; "
            "winners were run again on fresh seeds, but no held-out split exists."
        )
    if any(run.backend.startswith("unconfined") for t in trials for run in t.runs):
        yield "Some runs had no sandbox: their code could read labels and change anything this account can."
    calibration = [run for t in trials if t.phase == "calibrate" for run in t.runs]
    if alarm := start_alarm(comparison.run.settings, start_of(calibration), comparison.direction):
        yield alarm


def _compute_caveats(comparison: "Comparison", trials: Sequence[Trial]) -> Iterator[str]:
    check = comparison.equal_compute
    if not check.equal:
        used = ", ".join(f"{arm} {seconds:.0f} s" for arm, seconds in sorted(check.seconds.items()))
        if check.within:
            yield f"Each arm was allowed {check.allowed:.0f} s; some had nothing left to try ({used})."
        else:
            spread = f"spread {check.spread:.0%}, at most {check.tolerance:.0%}"
            yield f"The arms did not use the same compute ({used}; {spread})."
    if lost := sum(arm.lost_seconds for arm in comparison.arms):
        yield (
            f"{lost:.1f} device seconds went to runs that a stop or a failing sandbox cut off: they are in the arms' device "
            "time, and no arm searched less for them."
        )
    for name in SEARCH_ARMS:
        failed = sum(arm.failures.values()) if (arm := comparison.arm(name)) else 0
        if failed:
            yield f"{name}: {failed} runs had no score; their compute is charged."
    tuner = comparison.arm("tuner")
    startup = int((comparison.run.settings.get("tuner") or {}).get("startup", TPE_STARTUP))
    if tuner and 0 < tuner.trials <= startup:
        yield (
            f"The tuner finished {tuner.trials} trials, no more than the {startup} it draws at random to start: "
            "with this budget it was random search."
        )
    if any(arm.unpriced_calls for arm in comparison.arms):
        yield "The price of some model calls is not known; they are not in the dollars shown."


def determinism_caveats(found: Mapping[str, Any]) -> Iterator[str]:
    """What running one seed of the untouched code twice, and several seeds once, has shown."""
    if difference := found.get("difference"):
        yield (
            f"Not deterministic: seed {found['seed']} of the untouched code, run twice, gave scores {difference:.3g} apart. Seeds "
            "in common then take out less luck, and the intervals are wider for it."
        )
    if found.get("constant"):
        yield (
            f"The metric was the same on all {found['seeds']} seeds of the untouched code: nothing in it depends on the seed, or "
            "it is too coarse to show it."
        )


def _seed_caveats(comparison: "Comparison") -> Iterator[str]:
    gains = [(arm, arm.gain) for arm in comparison.arms if arm.gain]
    for arm, gain in gains:
        if gain.unpaired:
            yield f"{arm.arm}: {gain.unpaired} confirmation runs have no counterpart with a score and were left out."
        if gain.low is None and gain.n:
            yield f"{arm.arm}: {gain.method}; nothing is claimed for it."
    n = min((gain.n for _, gain in gains if gain.n), default=0)
    if 2 <= n < 6:
        yield (
            f"{n} seeds: a sign-flip test cannot go below p = {sign_flip_floor(n):.3g} whatever the gain, so the intervals "
            "rest on the assumption that differences over seeds are roughly normal."
        )
    if gains and all(
        " examples" not in gain.method and " groups" not in gain.method for _, gain in gains if gain.low is not None
    ):
        yield "The judge gave no per-example values: intervals cover the luck of the seeds, not of the examples."
    base = comparison.arm("baseline")
    idle = [arm.arm for arm in comparison.arms if arm.gain and base and arm.commit == base.commit]
    if idle:
        yield f"{', '.join(idle)}: the search found nothing better than the untouched code, which was confirmed in its place."
    ties = [arm.arm for arm, gain in gains if gain.tie and gain.low is not None and gain.low < 0]
    if ties:
        yield f"{', '.join(ties)}: a tie means that no difference was found, not that there is none."


def _luck(comparison: "Comparison") -> Iterator[str]:
    """What choosing the best of several runs gains all by itself, on the split it was chosen on."""
    rerun, baseline = comparison.arm("rerun"), comparison.arm("baseline")
    if not rerun or not baseline or not rerun.trials or baseline.search_score is None or rerun.search_score is None:
        return
    sign = 1.0 if comparison.direction == "maximize" else -1.0
    luck = sign * (rerun.search_score - baseline.search_score)
    if luck > 0:
        yield (
            f"The best of {rerun.trials} reruns of the untouched code looked {luck:.4g} better on the search split; fresh seeds "
            "take it back. So much of any arm's search score can be luck."
        )
    else:
        yield f"None of {rerun.trials} reruns of the untouched code looked better than its first runs on the search split."


def _split_caveats(comparison: "Comparison") -> Iterator[str]:
    if comparison.sealed_openings > 1:
        yield f"The sealed split was opened {comparison.sealed_openings} times (after a crash, not to choose)."
    for arm in comparison.arms:
        if arm.sealed_gain and accepted(arm) and not arm.sealed_gain.better:
            yield f"{arm.arm}: the sealed split does not uphold the confirmed gain ({_signed(arm.sealed_gain)})."


def _acceptance(comparison: "Comparison") -> Iterator[str]:
    for arm in comparison.arms:
        if arm.standing and arm.gain and arm.gain.better and not arm.standing.better:
            yield (
                f"{arm.arm}: the interval lies above zero, but the gain is {_state(arm.standing)} under the error budget of the "
                f"whole run: {_one_line(arm.standing.reason)}."
            )
    for arm in comparison.arms:
        if accepted(arm) and arm.standing and arm.standing.seeds < arm.standing.planned:
            yield (
                f"{arm.arm}: stopped after {arm.standing.seeds} of {arm.standing.planned} seeds, where the test had passed; the "
                "interval is not corrected for that."
            )
    finalists = len({arm.commit for arm in comparison.arms if arm.standing})
    tried = sum(arm.trials for arm in comparison.arms if arm.gain is not None)
    if finalists:
        yield (
            f"On fresh seeds {_family(finalists, tried)}: the chance that any is accepted without "
            f"being better is at most {ALPHA:.1%}, where a seed is as likely to favour either side when nothing is gained; a "
            "candidate that collapses on rare seeds, none of them among these, is not covered. The intervals are 95 % each."
        )
    if finalists and comparison.campaign > 1:
        together = comparison.campaign * ALPHA
        yield (
            f"Number {comparison.campaign} of the runs and reviews of this code on these confirmation seeds in this ledger: that any of "
            f"them accepts something that is no better has a chance of up to {min(1.0, together):.1%}."
        )


def _family(finalists: int, tried: int) -> str:
    if not tried:
        return "one branch was tested" if finalists == 1 else f"{finalists} branches were tested together"
    found = "one winner was" if finalists == 1 else f"{finalists} winners were"
    return f"{found} tested{' together' if finalists > 1 else ''}, found in {tried} search trials"


def _unfinished(arm: "ArmResult") -> bool:
    """Whether planned seeds of it have not run. A review stops by itself when its test knows."""
    if arm.standing is None:
        return False
    return arm.standing.state == "undecided" or (arm.seeds_left > 0 and arm.arm != "review")


def accepted(arm: "ArmResult") -> bool:
    """Whether its gain over the untouched code may be claimed."""
    return arm.standing is not None and arm.standing.better


def _state(standing: Standing) -> str:
    return "undecided" if standing.state == "undecided" else "not accepted"


def _signed(gain: Difference) -> str:
    if gain.mean is None:
        return "an unknown amount"
    if gain.low is None or gain.high is None:
        return f"{gain.mean:+.4g} (no interval)"
    return f"{gain.mean:+.4g} [{gain.low:+.4g}, {gain.high:+.4g}]"


def _magnitude(gain: Difference) -> str:
    low, high = sorted((abs(gain.low or 0.0), abs(gain.high or 0.0)))
    return f"{abs(gain.mean or 0.0):.4g} [{low:.4g}, {high:.4g}]"


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:200]

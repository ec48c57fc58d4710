"""The ladder of scales in the report: who was pruned, how often that was wrong, and whether the gains hold at length."""

from ..rungs import LEAST_CORRELATION, summaries
from ..scaling import scale_ups
from ..verdict import accepted
from . import numbers
from .facts import Facts
from .page import Table, table
from .results import places


def explained(facts: Facts) -> str:
    """What the rungs were; empty for a run without any."""
    lengths, seconds = facts.setting("rungs", "lengths"), facts.setting("rungs", "seconds")
    if not isinstance(lengths, dict) or not isinstance(seconds, dict):
        return ""
    costs = ", ".join(
        f"{n} {lengths.get(n)} ({numbers.seconds(seconds.get(n))} a run)" for n in ("smoke", "short", "full")
    )
    return (
        f"Every candidate of every arm ran {costs}. From short to full went, at best, one in {facts.setting('rungs', 'eta')}, "
        "and the more the less short runs were seen to rank like full ones: all of them where the rank correlation (Spearman) "
        f"was at most {LEAST_CORRELATION} or not yet measured. Some that would have been pruned were run to the end all the "
        "same; a wrongly pruned winner is one of them that came out as the best of its arm so far. Everything was charged."
    )


def promotions(facts: Facts) -> Table:
    rows = []
    for row in summaries(facts.trials, facts.comparison.direction) if explained(facts) else ():
        upper = "" if row.upper is None else f" (at most {row.upper:.0%})"
        correlation = (
            numbers.NONE if row.correlation is None else f"{row.correlation:.2f} ({row.pairs})".replace("-", "−")
        )
        rows.append([
            row.arm, str(row.seen), str(row.full), str(row.pruned), str(row.fallen), correlation,
            f"{row.wrong} of {row.sampled}{upper}" if row.sampled else "none was run",
        ])  # fmt: skip
    return table(
        "Candidates on the rungs, by arm; behind the correlation the number of pairs, behind the rate its 95 % upper bound",
        [
            ("arm", "arm"), ("ran short", "number"), ("ran full", "number"), ("pruned", "number"),
            ("failed before full", "number"), ("short to full", "number"), ("wrongly pruned winners", "text"),
        ],
        rows,
    )  # fmt: skip


def scaled(facts: Facts) -> Table:
    digits = places(facts)
    times = _times(facts)
    rows = []
    upheld = {arm.arm for arm in facts.comparison.arms if accepted(arm)}
    for found in scale_ups(facts.trials, facts.comparison.direction, upheld):
        one, more = found.full, found.scaled
        rows.append([
            found.arm, numbers.signed(one.mean, digits), numbers.interval(one.low, one.high, digits),
            numbers.signed(more.mean, digits), numbers.interval(more.low, more.high, digits), str(more.n), found.holds,
        ])  # fmt: skip
    return table(
        f"Gain over the untouched code at full length and at {times} times that, on the confirm split",
        [
            ("arm", "arm"), ("gain at 1 ×", "number"), ("95 % interval", "number"), (f"gain at {times} ×", "number"),
            ("95 % interval", "number"), ("seeds", "number"), ("does it hold?", "text"),
        ],
        rows,
    )  # fmt: skip


def without_scale_up(facts: Facts) -> str:
    """Why there is no scale-up in the table."""
    if not facts.setting("rungs", "scale_up_seeds"):
        return f"The winners were not run at {_times(facts)} times the full length: the budget had no room for it."
    return "The winners were not run at greater length: no arm found anything better than the untouched code, or it did not come to that."


def _times(facts: Facts) -> str:
    full, longer = facts.setting("rungs", "lengths", "full"), facts.setting("rungs", "lengths", "scale_up")
    return f"{longer // full}" if isinstance(full, int) and isinstance(longer, int) and full else "several"

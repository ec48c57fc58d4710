"""The table nobody publishes: bug fixes +a, architecture +b, prompts +c, tuning +d, each with an interval."""

from ..attribution import Attribution, Share
from ..difference import Difference
from . import numbers
from .facts import Facts
from .page import Table, table
from .results import places, words


def table_of(facts: Facts) -> Table:
    found, digits = facts.comparison.attribution, places(facts)
    rows: list[list[str]] = []
    if found:
        for share in found.edits:
            rows.append([share.title, words(share.kind), *_both(share, digits)])
        if len(found.kinds) > 1:
            rows += [[f"all of kind {words(s.kind)}", words(s.kind), *_both(s, digits)] for s in found.kinds]
        if found.interaction is not None:
            rows.append(
                ["interaction: the merge beyond the sum of its edits alone", "", _gain(found.interaction, digits), ""]
            )
        rows.append(["all edits together", "", _gain(found.whole, digits), ""])
    tuner = facts.comparison.arm("tuner")
    if rows and (tuner or facts.comparison.tuning_of_edits):
        alone = _gain(tuner.gain, digits) if tuner else numbers.NONE
        rows.append(["tuning", "hyperparameter", alone, _gain(facts.comparison.tuning_of_edits, digits)])
    columns = [
        ("edit", "text"),
        ("kind", "text"),
        ("alone, on the untouched code", "number"),
        ("last, on all the others", "number"),
    ]
    return table("Gain on the confirm split, with 95 % intervals", columns, rows)  # type: ignore[arg-type]


def said(facts: Facts) -> str:
    """What the table shows, or why there is none."""
    found = facts.comparison.attribution
    if found is None:
        written = facts.settings.get("attribution") or {}
        return f"No shares were measured: {written.get('reason') or 'the run did not come to it'}."
    missing = "; ".join(f"{share.title}: {share.reason}" for share in found.edits if share.reason)
    return (
        f"Each edit of the accepted winner alone on the untouched code, and what it still adds to all the others, on "
        f"{numbers.count(found.seeds, 'fresh seed')} shared by all of them. Gains do not add: {_interaction(found)}"
        f"{f' {found.reason[:1].upper()}{found.reason[1:]}.' if found.reason else ''}{f' Not measured: {missing}.' if missing else ''}"
    )


def _interaction(found: Attribution) -> str:
    if found.interaction is None or found.interaction.mean is None:
        return "here nothing can be said of how they work together."
    if found.interaction.tie:
        return "here the merge cannot be told from the sum of its edits."
    if found.interaction.mean > 0:
        return "here they are worth more together than the sum of each alone."
    return "here they are worth less together than the sum of each alone, because they mend some of the same loss."


def _both(share: Share, digits: int) -> tuple[str, str]:
    return _gain(share.alone, digits), _gain(share.last, digits)


def _gain(gain: Difference | None, digits: int) -> str:
    if gain is None or gain.mean is None:
        return numbers.NONE
    if gain.low is None or gain.high is None:
        return f"{numbers.signed(gain.mean, digits)} (no interval)"
    return f"{numbers.signed(gain.mean, digits)} ({numbers.interval(gain.low, gain.high, digits)})"

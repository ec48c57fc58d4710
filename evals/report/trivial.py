"""The card of trivial baselines in the report: what answers that know nothing score, beside the untouched code."""

from ..trivial.card import NAMES, start_alarm
from . import numbers
from .facts import Facts
from .page import Table, table
from .results import places

_MEANING = {
    "constant": "one answer for every example, the best of those tried",
    "majority": "the answer the untouched code gave most often, for every example",
    "copy": "the inputs in the place of the answers",
    "shuffled labels": "the untouched code's answers, permuted among the examples",
    "random": "uniform draws among the answers it gave, or over their range",
}


def trivial(facts: Facts) -> Table:
    card = facts.setting("trivial")
    rows = []
    for name in NAMES if isinstance(card, dict) and card else ():
        value = card.get(name)
        scored = isinstance(value, int | float)
        score = numbers.score(value, places(facts)) if scored else numbers.NONE
        rows.append([name, score, _MEANING[name] if scored else f"{_MEANING[name]}: {value}"])
    if rows:
        start = numbers.score(facts.baseline, places(facts))
        rows.insert(0, ["the untouched code", start, "mean over its first seeds"])
    return table("Trivial baselines on the search split",
                 [("baseline", "text"), ("score", "number"), ("what it answers", "text")], rows)  # fmt: skip


def trivial_note(facts: Facts) -> str:
    if facts.setting("integrity") == "same-process":
        return "This judge has no score step of its own: it cannot score answers that it did not see made."
    made = facts.setting("trivial_facts")
    if not isinstance(made, dict):
        return "No card was made in this run."
    if made.get("reason"):
        return f"There is no card: {made['reason']}."
    kinds = made.get("answers")
    named = ", ".join(f"{name or 'answers'}: {kind}" for name, kind in kinds.items()) if isinstance(kinds, dict) else ""
    return (
        f"Made from the predictions of the untouched code on the first seed ({named}) before anything was tried, and scored by "
        f"the same evaluator. Constants tried: {made.get('tried', 0)}, out of answers that it gave; charged to the baseline: "
        f"{numbers.seconds(made.get('seconds'))}."
    )


def trivial_warning(facts: Facts) -> str:
    """What is to be said in red; empty when there is nothing."""
    return start_alarm(facts.settings, facts.baseline, facts.comparison.direction)

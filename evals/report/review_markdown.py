"""A review as a pull-request comment: GitHub's Markdown in which no text of a stranger is markup, link or mention."""

import re

from ..reviewed import Reviewed
from .numbers import interval, score, seconds, signed
from .text import md_code_cell, md_text

MOST_ROWS = 50
"""Of verdicts and of caveats: GitHub takes 65,536 characters, and each row is bounded."""


def comment(result: Reviewed) -> str:
    """The whole comment, bounded, without a line feed at its end."""
    word = "refused" if result.refused else "better" if result.passed else "not better"
    sound = result.standing is not None and result.standing.better and all(v.passed for v in result.verdicts)
    if result.again and not result.again.holds and sound:
        word = "better, but not as claimed"
    parts = [f"### branchlab: {word}", prose(result.sentence, 900)]
    if result.gain:
        parts.append(_numbers(result))
    parts.append(_verdicts(result))
    if result.caveats:
        parts.append(
            "\n".join(["**Caveats**", "", *(f"- {prose(caveat, 500)}" for caveat in result.caveats[:MOST_ROWS])])
        )
    return "\n\n".join([*parts, _facts(result)])


def prose(text: str, limit: int = 300) -> str:
    """One line that is no markup; besides `md_text`, GitHub links `#12` and `GH-12` to issues and tells them."""
    return re.sub(r"(?i)(#|\bGH-)(?=\d)", r"\1<!-- -->", md_text(text, limit))


def _numbers(result: Reviewed) -> str:
    rows = ["| | effect | 95 % interval | seeds | device seconds |", "|---|---:|---:|---:|---:|"]
    if gain := result.gain:
        spent = seconds(result.base_seconds + result.seconds)
        rows.append(f"| measured here | {signed(gain.mean)} | {interval(gain.low, gain.high)} | {gain.n} | {spent} |")
    if result.claim and (effect := result.claim.effect):
        rows.append(
            f"| claimed ({effect.split} split) | {signed(effect.mean)} | {interval(effect.low, effect.high)} "
            f"| {len(effect.seeds)} | {seconds(effect.budget)} for the whole search |"
        )
    rows += ["", f"{md_code_cell(result.metric, 100)} to {result.direction}, positive effects are better: "
             f"base {score(result.base_score)}, branch {score(result.score)}."]  # fmt: skip
    if again := result.again:
        held = "**holds**" if again.holds else "**does not hold**"
        rows.append(f"The claim {held}: {prose(again.reason)}.")
    return "\n".join(rows)


def _verdicts(result: Reviewed) -> str:
    rows = ["| question | answer | why |", "|---|---|---|"]
    for verdict in result.verdicts[:MOST_ROWS]:
        answer = "passed" if verdict.passed else "**not passed**"
        rows.append(f"| {prose(verdict.gate, 80)} | {answer} | {prose(verdict.reason)} |")
    return "\n".join(rows)


def _facts(result: Reviewed) -> str:
    facts = (
        f"target {md_code_cell(result.target, 80)}",
        f"branch {md_code_cell(result.branch, 200)} at {md_code_cell(result.commit[:12])}",
        f"base {md_code_cell(result.base[:12])}",
        f"sandbox {md_code_cell(result.sandbox, 80)}",
        f"integrity {md_code_cell(result.integrity, 40)}",
        f"review {md_code_cell(result.run_id, 120)}",
    )
    return f"<sub>{', '.join(facts)}</sub>"

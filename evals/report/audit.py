"""The report's first section: what reading the evaluator found that could move a number without better predictions."""

from .facts import Facts
from .numbers import count
from .page import Table, table


def audit(facts: Facts) -> Table:
    rows = [
        [
            *(str(f.get(key, "")) for key in ("severity", "question")),
            f"{f.get('file', '')}:{f.get('line', '')}",
            *(str(f.get(key, "")) for key in ("title", "rationale", "advice")),
        ]
        for f in facts.entries("audit")
    ]
    columns = [("severity", "text"), ("question", "text"), ("place", "code"), ("finding", "text"),
               ("what it could do to a number", "text"), ("what to do", "text")]  # fmt: skip
    return table("What the evaluator audit found in the base commit", columns, rows)  # type: ignore[arg-type]


def audit_note(facts: Facts) -> str:
    asked = facts.setting("audit_questions")
    if not isinstance(asked, list):
        return "The evaluator was not audited in this run."
    found = facts.entries("audit")
    high = sum(f.get("severity") == "high" for f in found)
    said = f"{count(len(found), 'finding')}, {high} of high severity." if found else "Nothing was found."
    return (
        f"Before anything ran, the base commit was read for {count(len(asked), 'way', 'ways')} in which a score can be better "
        f"than its predictions ({', '.join(str(name) for name in asked)}). {said} Reading proves nothing: silence is not a "
        "guarantee, and a finding is a reason to look."
    )


def audit_warning(facts: Facts) -> str:
    """One sentence that sends the reader to the section; empty without a finding of high severity."""
    high = [f for f in facts.entries("audit") if f.get("severity") == "high"]
    if not high:
        return ""
    return f"The evaluator audit found {count(len(high), 'thing')} that could move a number by itself: {high[0].get('title', '')}."

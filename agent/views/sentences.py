"""One plain sentence for each event; the terminal's list of last events and the plain view share it."""

from ...evals.report.text import one_line
from ..events import (
    BudgetUsed,
    CodeRead,
    Event,
    ModelCharged,
    Note,
    PhaseChanged,
    Promoted,
    ProposalMade,
    ProposalRefused,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialStarted,
)


def sentence(event: Event) -> str:
    """One line that says what happened, safe to print on a terminal; empty for what is only a number that moves."""
    return one_line(_sentence(event), 500)


def _sentence(event: Event) -> str:
    match event:
        case RunStarted():
            return _started(event)
        case PhaseChanged(phase=phase):
            return phase
        case CodeRead():
            return _read(event)
        case ProposalMade(arm=arm, title=title, kind=kind, proposer=proposer):
            return f"{arm}: proposed by {proposer} ({kind.replace('_', ' ')}): {_short(title)}"
        case ProposalRefused(arm=arm, title=title, reason=reason):
            return f"{arm}: refused: {_short(title)}: {reason}"
        case TrialStarted(arm=arm, title=title):
            return f"{arm}: running: {_short(title)}"
        case TrialFinished():
            return _finished(event)
        case Promoted(title=title, branch=branch):
            return f"kept: {_short(title)}: branch {branch}"
        case Note(text=text, level=level):
            return text if level == "info" else f"{level}: {text}"
        case RunFinished(run_id=run_id, status=status, verdict=verdict):
            return f"run {run_id} {status.replace('_', ' ')}: {verdict}"
        case BudgetUsed() | ModelCharged():
            return ""


def _short(title: str) -> str:
    return one_line(title, 120)


def _started(event: RunStarted) -> str:
    how = "resumed" if event.resumed else "started"
    warning = " (WARNING: no sandbox)" if "unconfined" in event.sandbox else ""
    return (
        f"run {event.run_id} {how}: {event.target} at {event.commit[:10]}, {event.metric} to {event.direction}, "
        f"{len(event.arms)} arms, {_budget(event)}sandbox {event.sandbox}{warning}, "
        f"integrity: {event.integrity}"
    )


def _budget(event: RunStarted) -> str:
    return f"{seconds(event.budget_seconds)} on {count(event.jobs, 'slot')}, " if event.budget_seconds else ""


def _read(event: CodeRead) -> str:
    said = f"read {count(event.files, 'file')}: {count(event.findings, 'finding')}, {count(event.tunables, 'tunable')}"
    if not event.unread:
        return said
    names = ", ".join(one_line(name, 60) for name in event.unread[:5])
    more = f" and {len(event.unread) - 5} more" if len(event.unread) > 5 else ""
    return f"{said}; could not read {names}{more}"


def _finished(event: TrialFinished) -> str:
    best = "" if event.best is None else f" (best {number(event.best)})"
    why = f": {event.reason}" if event.reason else ""
    where = f" on the {event.phase} split" if event.phase in ("confirm", "sealed") else ""
    return f"{event.arm}: {event.decision} {number(event.score)}{where}{best}: {_short(event.title)}{why}"


def number(value: float | None) -> str:
    """A score with four significant digits; `no score` when there is none."""
    if value is None:
        return "no score"
    return f"{value:#.4g}".rstrip(".") if abs(value) < 1e4 else f"{value:.4g}"


def seconds(value: float) -> str:
    """A span of time as a clock shows it: `42 s`, `3:05`, `1:02:03`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"

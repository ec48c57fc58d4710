"""A trial in plain words, for every place where a person reads one."""

from collections.abc import Mapping

from ..targets.tunable import Value
from .trial import ProposalRecord, Trial


def trial_title(
    trial: Trial,
    proposals: Mapping[str, ProposalRecord],
    defaults: Mapping[str, Value] | None = None,
) -> str:
    """What was tried: the proposal's title, or the tunables that moved (`LR 0.1 → 0.01`), or the code as it was.

    Args:
        proposals: by id. A proposal that is not there is named by its id.
        defaults: tunable name to the code's own value, shown where it is known.
    """
    moved = ", ".join(_moved(name, value, defaults or {}) for name, value in sorted(trial.params.items()))
    if trial.proposal_id is None:
        return moved or "the code as it is"
    record = proposals.get(trial.proposal_id)
    if record and moved and record.kind == "hyperparameter":
        return moved  # its title says the same with less
    title = record.title if record else f"proposal {trial.proposal_id}"
    return f"{title}, with {moved}" if moved else title


def _moved(name: str, value: Value, defaults: Mapping[str, Value]) -> str:
    short = name.rpartition("::")[2] or name
    if name in defaults and defaults[name] != value:
        return f"{short} {plain(defaults[name])} → {plain(value)}"
    return f"{short} = {plain(value)}"


def plain(value: Value) -> str:
    """A tunable's value as a person writes it: four digits, `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

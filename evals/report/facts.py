"""Everything a report is made from, read from the ledger once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..compare import Comparison, compare
from ..ledger import Ledger, ModelCost
from ..repeats import Repeats, repeats
from ..trial import ProposalRecord, Trial


@dataclass(frozen=True)
class Facts:
    comparison: Comparison
    trials: tuple[Trial, ...]
    proposals: tuple[ProposalRecord, ...]
    model_cost: ModelCost
    repeats: Repeats | None = None

    @property
    def run_id(self) -> str:
        return self.comparison.run.id

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.comparison.run.settings

    @cached_property
    def records(self) -> dict[str, ProposalRecord]:
        return {record.id: record for record in self.proposals}

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Tunable name to the code's own value."""
        return {t["name"]: t["default"] for t in self.entries("tunables") if "name" in t and "default" in t}

    @cached_property
    def baseline(self) -> float | None:
        """Mean of the untouched code on the search split."""
        runs = [run for t in self.trials if t.phase == "calibrate" for run in t.runs]
        values = [run.score.value for run in runs if run.score]
        return sum(values) / len(values) if values else None

    def setting(self, *path: str) -> Any:
        """A setting by its path; None where it was not recorded."""
        found: Any = self.settings
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def entries(self, name: str) -> list[Mapping[str, Any]]:
        """A setting that is a list of objects; empty where it was not recorded."""
        found = self.settings.get(name)
        return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def gather(ledger: Ledger, run_id: str) -> Facts:
    """The facts of a run, whatever state it is in.

    Raises: LedgerError when there is no such run.
    """
    return Facts(
        comparison=compare(ledger, run_id),
        trials=tuple(ledger.trials(run_id)),
        proposals=tuple(ledger.proposals(run_id)),
        model_cost=ledger.model_cost(run_id),
        repeats=repeats(ledger, run_id),
    )

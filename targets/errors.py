"""The error tree. What a target does wrong is a value (a status, a `crash` decision); these are ours or the user's.

BranchlabError
├── UsageError      the user asked for something that cannot be (exit code 2)
│   └── TargetError     the target's manifest or repository is not usable (exit code 2)
│       └── StateError      what branchlab keeps of it cannot be written (exit code 4; the run stays resumable)
├── OperatorError   an edit does not apply to this code; recorded as a failed proposal
├── ArtifactError   what a run wrote is missing, or not the plain data it should be; recorded as a crash
├── SandboxError    no working sandbox, or the sandbox itself failed (exit code 4)
├── ModelError      the language model's endpoint failed (the run stays resumable)
│   └── ModelBudgetError    its dollars are spent: the run goes on without it
├── BudgetError     the budget cannot pay for a verdict (exit code 3)
└── LedgerError     the ledger is unreadable, of another version, or a rule of it was broken (exit code 4)
"""

from typing import ClassVar


class BranchlabError(Exception):
    """One line that says what was wanted, what was found, where, and what to do."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, wanted: str = "", found: str = "", where: str = "", fix: str = "") -> None:
        parts = [f"{where}: {message}" if where else message]
        if wanted:
            parts.append(f"wanted {wanted}")
        if found:
            parts.append(f"found {found}")
        if fix:
            parts.append(f"fix: {fix}")
        # One line whatever the parts hold: a value quoted in an error may come from hostile text.
        super().__init__("".join(c if c.isprintable() else " " for c in "; ".join(parts))[:2000])


class UsageError(BranchlabError):
    exit_code = 2


class TargetError(UsageError):
    pass


class StateError(TargetError):
    exit_code = 4


class OperatorError(BranchlabError):
    pass


class ArtifactError(BranchlabError):
    pass


class SandboxError(BranchlabError):
    pass


class ModelError(BranchlabError):
    pass


class ModelBudgetError(ModelError):
    pass


class BudgetError(BranchlabError):
    exit_code = 3


class LedgerError(BranchlabError):
    pass

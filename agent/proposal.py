"""An idea, and the commit it became."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["bug_fix", "architecture", "prompt", "data", "hyperparameter"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One application of an operator. Nothing else ever changes a file."""

    operator: str
    file: str
    symbol: str
    """Qualified name inside the file, such as `Trainer.fit`; empty for the module itself."""
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    file: str
    line: int
    note: str


@dataclass(frozen=True, slots=True)
class Proposal:
    kind: Kind
    title: str
    """Imperative, at most 72 characters: it becomes the commit's subject."""
    rationale: str
    edits: tuple[Edit, ...]
    evidence: tuple[Evidence, ...] = ()
    proposer: str = ""
    parent: str = ""
    """Commit the edits apply to."""
    dollars: float = 0.0

    @property
    def id(self) -> str:
        """Content hash of what would be done, twelve hex digits: the same edits on the same parent are the same idea."""
        body = [[e.operator, e.file, e.symbol, sorted(e.arguments.items())] for e in self.edits]
        return hashlib.sha256(json.dumps([self.parent, body]).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal that became a commit."""

    proposal: Proposal
    commit: str
    diff: str
    """Unified diff against the parent."""
    kind: Kind
    """As proved on the syntax tree: an edit that only moves literals is `hyperparameter`, whatever its proposer said."""
    files: tuple[str, ...]

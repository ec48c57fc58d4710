"""The edits of a finding as replaced lines of text, for editors and code scanning."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from ...targets.errors import OperatorError
from ..operators.apply import apply_edits
from ..proposers.defects import Finding


@dataclass(frozen=True, slots=True)
class Replacement:
    """Lines `first` up to, not including, `end` (both from 1) become `text`; nothing is taken out when they are equal."""

    file: str
    first: int
    end: int
    text: str


def replacements(finding: Finding, sources: Mapping[str, bytes]) -> tuple[Replacement, ...]:
    """By file and line; empty when the finding has no edits, or they do not apply or are not text."""
    try:
        changed = apply_edits(sources, finding.edits) if finding.edits else {}
        return tuple(
            one for file in sorted(changed) for one in _between(file, sources[file].decode(), changed[file].decode())
        )
    except (OperatorError, UnicodeDecodeError):
        return ()


def _between(file: str, before: str, after: str) -> list[Replacement]:
    old, new = _lines(before), _lines(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        Replacement(file, i + 1, j + 1, "".join(new[k:m]))
        for tag, i, j, k, m in matcher.get_opcodes()
        if tag != "equal"
    ]


def _lines(text: str) -> list[str]:
    """Ended by a line feed alone: `splitlines` would also part them at form feeds, which count for nothing in Python."""
    return io.StringIO(text, newline="\n").readlines()

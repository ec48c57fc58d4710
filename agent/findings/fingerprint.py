"""A name for a finding that stays the same when lines above it come and go."""

import hashlib
from collections import Counter

from .report import Report


def fingerprints(report: Report) -> tuple[str, ...]:
    """One for each finding, in their order: sixteen hex digits of kind, file, symbol and the line's text without its
    spaces; findings that are equal in all of these are told apart by counting."""
    seen: Counter[tuple[str, ...]] = Counter()
    found: list[str] = []
    for finding in report.findings:
        key = (finding.detector, finding.file, finding.symbol, "".join(report.line(finding).split()))
        found.append(hashlib.sha256("\0".join((*key, str(seen[key]))).encode()).hexdigest()[:16])
        seen[key] += 1
    return tuple(found)

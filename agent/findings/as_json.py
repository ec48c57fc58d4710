"""Findings as data with stable keys."""

from dataclasses import asdict
from typing import Any

from .fingerprint import fingerprints
from .replacements import replacements
from .report import Report


def as_json(report: Report) -> dict[str, Any]:
    """`findings` (file, line, symbol, kind, title, rationale, effect, confidence, action, fingerprint, evidence: file,
    line, note; replacements: file, first, end, text) and `unread` (file, reason).

    A replacement's lines count from 1; `end` is the first line that stays.
    """
    return {
        "findings": [
            {
                "file": one.file,
                "line": one.line,
                "symbol": one.symbol,
                "kind": one.detector,
                "title": one.title,
                "rationale": one.rationale,
                "effect": one.effect,
                "confidence": one.confidence,
                "action": one.action,
                "fingerprint": fingerprint,
                "evidence": [asdict(evidence) for evidence in one.evidence],
                "replacements": [asdict(replacement) for replacement in replacements(one, report.sources)],
            }
            for one, fingerprint in zip(report.findings, fingerprints(report), strict=True)
        ],
        "unread": [asdict(one) for one in report.unread],
    }

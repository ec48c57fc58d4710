"""Findings as SARIF 2.1.0, the format of code scanning (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ... import __version__
from ..proposers.defects import Finding
from ..proposers.defects.base import Confidence
from .fingerprint import fingerprints
from .kinds import Kind, kinds
from .replacements import Replacement, replacements
from .report import Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: Mapping[Confidence, str] = {"high": "error", "medium": "warning", "low": "note"}
ROOT = "SRCROOT"
FINGERPRINT = "branchlabFinding/v1"

Json = dict[str, Any]


def as_sarif(report: Report) -> Json:
    """One run: every kind as a rule, findings as results with the lines that mend them, unread files as notifications."""
    rules = kinds()
    places = {kind.name: place for place, kind in enumerate(rules)}
    results = [
        _result(finding, report, places[finding.detector], fingerprint)
        for finding, fingerprint in zip(report.findings, fingerprints(report), strict=True)
    ]
    run = {
        "tool": {"driver": {
            "name": "branchlab", "version": __version__,
            "rules": [_rule(kind) for kind in rules],
        }},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The top of the repository."}}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": f"not read: {one.reason}"}, "locations": [_location(one.file)]}
            for one in report.unread
        ]}],
        "results": results,
    }  # fmt: skip
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(kind: Kind) -> Json:
    return {
        "id": kind.name,
        "name": kind.title.title().replace(" ", ""),
        "shortDescription": {"text": kind.title},
        "fullDescription": {"text": kind.summary},
        "help": {"text": "\n\n".join([kind.summary, *kind.blocks]), "markdown": kind.markdown},
        "properties": {"tags": ["machine-learning", "correctness"]},
    }


def _result(finding: Finding, report: Report, rule: int, fingerprint: str) -> Json:
    result: Json = {
        "ruleId": finding.detector,
        "ruleIndex": rule,
        "level": LEVELS[finding.confidence],
        "message": {"text": f"{finding.title}. {finding.rationale}"},
        "locations": [_location(finding.file, finding.line, finding.symbol)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {
            "confidence": finding.confidence, "action": finding.action, "effect": finding.effect,
        },
    }  # fmt: skip
    if finding.evidence:
        result["relatedLocations"] = [
            {"id": number, **_location(one.file, one.line), "message": {"text": one.note}}
            for number, one in enumerate(finding.evidence)
        ]
    if changed := replacements(finding, report.sources):
        result["fixes"] = [{"description": {"text": finding.title}, "artifactChanges": _changes(changed)}]
    return result


def _location(file: str, line: int = 0, symbol: str = "") -> Json:
    physical: Json = {"artifactLocation": _artifact(file)}
    if line > 0:
        physical["region"] = {"startLine": line}
    location: Json = {"physicalLocation": physical}
    if symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": symbol, "kind": "function"}]
    return location


def _artifact(file: str) -> Json:
    return {"uri": quote(file), "uriBaseId": ROOT}


def _changes(changed: Sequence[Replacement]) -> list[Json]:
    return [
        {
            "artifactLocation": _artifact(file),
            "replacements": [_replacement(one) for one in changed if one.file == file],
        }
        for file in dict.fromkeys(one.file for one in changed)
    ]


def _replacement(one: Replacement) -> Json:
    """Whole lines: from the start of the first to the start of the first that stays."""
    region = {"startLine": one.first, "startColumn": 1, "endLine": one.end, "endColumn": 1}
    return {"deletedRegion": region, "insertedContent": {"text": one.text}}

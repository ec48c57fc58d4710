"""SARIF: the structure that code scanning asks for, fixes that do what the edits do, fingerprints that outlive a move."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from branchlab.agent.findings.as_sarif import FINGERPRINT, LEVELS, as_sarif
from branchlab.agent.findings.report import read_findings
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import DETECTORS

FAULTY = b"""\
import torch


def train(model, loader, optimizer):
    for x, y in loader:
        loss = model(x, y)
        loss.backward()
        optimizer.step()


def scored(path):
    try:
        return evaluate(path)
    except Exception:
        return 0.0
"""
SOURCES = {"a folder/train.py": FAULTY, "broken.py": b"def f(:\n", "train.py": b"# top\n" + FAULTY}

# What the standard (SARIF 2.1.0, section 3) requires of the objects used here: key to (type, required).
Shape = Mapping[str, tuple[type | tuple[type, ...], bool]]
LOG: Shape = {"$schema": (str, False), "version": (str, True), "runs": (list, True)}
RUN: Shape = {"tool": (dict, True), "results": (list, True), "columnKind": (str, False), "invocations": (list, False),
              "originalUriBaseIds": (dict, False)}  # fmt: skip
RULE: Shape = {"id": (str, True), "name": (str, False), "shortDescription": (dict, False), "fullDescription": (dict, False),
               "help": (dict, False), "helpUri": (str, False), "properties": (dict, False)}  # fmt: skip
RESULT: Shape = {"ruleId": (str, True), "ruleIndex": (int, True), "level": (str, True), "message": (dict, True),
                 "locations": (list, True), "relatedLocations": (list, False), "partialFingerprints": (dict, True),
                 "fixes": (list, False), "properties": (dict, False)}  # fmt: skip
LOCATION: Shape = {"id": (int, False), "physicalLocation": (dict, True), "logicalLocations": (list, False),
                   "message": (dict, False)}  # fmt: skip
REGION: Shape = {
    "startLine": (int, True),
    "startColumn": (int, False),
    "endLine": (int, False),
    "endColumn": (int, False),
}


def fits(value: Any, shape: Shape) -> bool:
    assert isinstance(value, dict)
    assert set(value) <= set(shape), set(value) - set(shape)
    assert {key for key, (_, required) in shape.items() if required} <= set(value)
    for key, one in value.items():
        assert isinstance(one, shape[key][0]), key
    return True


def text_of(message: Any) -> str:
    assert set(message) <= {"text", "markdown"}
    assert message["text"].strip()
    return str(message["text"])


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    log = as_sarif(read_findings("", SOURCES, ["large.py"]))
    assert fits(log, LOG)
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    assert fits(one, RUN)
    return dict(one)


def test_every_kind_is_a_rule_with_help(run: dict[str, Any]) -> None:
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(DETECTORS)
    for rule in rules:
        assert fits(rule, RULE)
        assert text_of(rule["shortDescription"])
        assert len(text_of(rule["help"])) > 100
        assert "```" in rule["help"]["markdown"]


def test_results_have_place_level_and_rule(run: dict[str, Any]) -> None:
    assert {unquote(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for r in run["results"]} == {
        "a folder/train.py", "train.py",
    }  # fmt: skip
    for result in run["results"]:
        assert fits(result, RESULT)
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS.values()
        assert text_of(result["message"])
        assert len(result["locations"]) == 1
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            assert fits(location, LOCATION)
            physical = location["physicalLocation"]
            assert set(physical) <= {"artifactLocation", "region"}
            assert physical["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
            assert " " not in physical["artifactLocation"]["uri"]
            assert fits(physical["region"], REGION)
            assert physical["region"]["startLine"] >= 1


def test_files_that_were_not_read_are_told(run: dict[str, Any]) -> None:
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    told = invocation["toolExecutionNotifications"]
    assert [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in told] == [
        "large.py",
        "broken.py",
    ]
    assert all(one["level"] == "warning" and text_of(one["message"]) for one in told)


def test_a_fix_does_what_the_edits_do() -> None:
    report = read_findings("", SOURCES)
    results = as_sarif(report)["runs"][0]["results"]
    assert len(results) == 4
    for finding, result in zip(report.findings, results, strict=True):
        (fix,) = result["fixes"]
        (change,) = fix["artifactChanges"]
        assert unquote(change["artifactLocation"]["uri"]) == finding.file
        assert apply_edits(SOURCES, finding.edits)[finding.file].decode() == replaced(
            SOURCES[finding.file].decode(), change["replacements"]
        )


def replaced(text: str, replacements: list[dict[str, Any]]) -> str:
    """What a reader of SARIF makes of the replacements: regions of whole lines, last first."""
    lines = text.splitlines(keepends=True)
    for one in reversed(replacements):
        region = one["deletedRegion"]
        assert fits(region, REGION)
        assert region["startColumn"] == region["endColumn"] == 1
        lines[region["startLine"] - 1 : region["endLine"] - 1] = [one["insertedContent"]["text"]]
    return "".join(lines)


def test_fingerprints_outlive_moved_lines_and_tell_twins_apart() -> None:
    twice = FAULTY + FAULTY.replace(b"import torch\n", b"")
    before = prints(FAULTY)
    assert prints(b"# a comment\nimport os\n\n" + FAULTY.replace(b"loss.backward()", b"loss.backward( )")) == before
    assert len(set(prints(twice))) == len(prints(twice)) == 4
    assert set(before) <= set(prints(twice))
    assert prints(FAULTY.replace(b"loss.backward()", b"(2 * loss).backward()")) != before


def prints(data: bytes) -> list[str]:
    results = as_sarif(read_findings("", {"train.py": data}))["runs"][0]["results"]
    return [result["partialFingerprints"][FINGERPRINT] for result in results]

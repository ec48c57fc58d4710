"""A detector's test is a program before and after: the finding's own edits, applied by the real operators."""

from collections.abc import Callable, Mapping
from textwrap import dedent

import pytest

from branchlab.agent.code_map import CodeMap
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import Finding, find_defects

Program = str | Mapping[str, str]


def _sources(program: Program) -> dict[str, bytes]:
    files = {"train.py": program} if isinstance(program, str) else program
    return {file: dedent(text).strip("\n").encode() + b"\n" for file, text in files.items()}


def _found(detector: str, program: Program) -> list[Finding]:
    return [f for f in find_defects(CodeMap("0" * 40, _sources(program))) if f.detector == detector]


@pytest.fixture
def found() -> Callable[[str, Program], list[Finding]]:
    """Findings of one detector in a program: one file's text, or texts by path."""
    return _found


@pytest.fixture
def mended() -> Callable[[str, Program, Program], None]:
    """Asserts that the one finding of a detector turns the first program into the second, and is then gone."""

    def check(detector: str, before: Program, after: Program) -> None:
        findings = _found(detector, before)
        assert len(findings) == 1, [f"{f.file}:{f.line} {f.title}" for f in findings]
        finding = findings[0]
        assert finding.edits, "the finding's edits do not apply"
        assert len(finding.title) <= 72
        assert 1 <= finding.line <= _sources(before)[finding.file].count(b"\n")
        sources = _sources(before)
        result = {**sources, **apply_edits(sources, finding.edits)}
        assert {f: d.decode() for f, d in result.items()} == {f: d.decode() for f, d in _sources(after).items()}
        assert not _found(detector, after), "mending it did not silence the detector"

    return check

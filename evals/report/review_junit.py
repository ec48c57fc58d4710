"""A review as JUnit XML, which most CI servers read: one test case for each question, one for the claim, one for the verdict."""

from xml.etree import ElementTree as ET

from ..reviewed import Reviewed
from .text import one_line

SUITE = "branchlab review"
MOST = 1000
"""Characters of one text."""


def junit(result: Reviewed) -> str:
    """One `testsuites` element with one suite; times are device seconds.

    Every text is made visible first: XML 1.0 has no place for control characters, not even escaped.
    """
    cases = [(verdict.gate, verdict.passed, verdict.reason, 0.0) for verdict in result.verdicts]
    if result.again:
        cases.append(("claimed effect", result.again.holds, result.again.reason, 0.0))
    cases.append(("verdict", result.passed, result.sentence, result.base_seconds + result.seconds))
    counts = {"tests": str(len(cases)), "failures": str(sum(not passed for _, passed, _, _ in cases)), "errors": "0"}
    time = {"time": f"{sum(spent for *_, spent in cases):.3f}"}
    top = ET.Element("testsuites", {"name": SUITE, **counts, **time})
    suite = ET.SubElement(
        top, "testsuite", {"name": _text(f"{SUITE}: {result.branch}"), **counts, "skipped": "0", **time}
    )
    for name, passed, reason, spent in cases:
        attributes = {"classname": _text(f"branchlab.{result.target}"), "name": _text(name), "time": f"{spent:.3f}"}
        case = ET.SubElement(suite, "testcase", attributes)
        if not passed:
            ET.SubElement(case, "failure", {"message": _text(reason), "type": "branchlab"}).text = _text(reason)
    if result.caveats:
        ET.SubElement(suite, "system-out").text = "\n".join(_text(caveat) for caveat in result.caveats)
    ET.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode")


def _text(text: str) -> str:
    return one_line(text, MOST)

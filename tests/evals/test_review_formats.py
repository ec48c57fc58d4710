"""A review as a comment and as JUnit XML: what it says, and that no stranger's text is more than text in it."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from branchlab.evals.acceptance import Standing
from branchlab.evals.claim import Claim, Effect
from branchlab.evals.difference import Difference
from branchlab.evals.recheck import recheck
from branchlab.evals.report.review_junit import junit
from branchlab.evals.report.review_markdown import comment
from branchlab.evals.reviewed import Reviewed
from branchlab.evals.trial import Run, Score, Verdict

from .sample_run import HOSTILE

GAIN = Difference(0.0312, 0.0204, 0.042, 6, "paired t over 6 seeds", False)
STANDING = Standing("better", 6, 8, 0.025, "sign-flip test passed at seed 6 of 8 at level 0.025")
EFFECT = Effect(0.03, 0.02, 0.04, "confirm", tuple(range(6)), 384.0)
CLAIM = Claim("points", "1f" * 20, "9a" * 20, "accuracy", "maximize", EFFECT)
RUN = Run(0, "confirm", "ok", "", Score("accuracy", 0.9), 1.0, 1.0, 1.0, "", "bubblewrap")
REVIEW = Reviewed(
    run_id="points-1", target="points", branch="better", commit="ab" * 20, base="1f" * 20, metric="accuracy",
    direction="maximize", integrity="separate", sandbox="bubblewrap", verdicts=(Verdict("in_scope", True, "1 file"),),
    runs=(RUN,), base_score=0.87, score=0.9012, gain=GAIN, standing=STANDING, base_seconds=10.0, seconds=11.5, claim=CLAIM,
    again=recheck(EFFECT, GAIN), caveats=("6 of 6 seeds are those of the claim.",),
)  # fmt: skip
REFUSED = replace(
    REVIEW,
    runs=(),
    gain=None,
    standing=None,
    again=None,
    verdicts=(Verdict("in_scope", False, "score.py: protected by target.toml"),),
)
SURROGATE = "lone \ud800 nul \x00 escape \x1b[31m not a character \uffff "


def hostile(text: str) -> Reviewed:
    """The same with a stranger's text wherever one can stand."""
    return replace(
        REVIEW, target=text, branch=text, metric=text, sandbox=text, caveats=(text,),
        verdicts=(Verdict(text, True, text), Verdict("guard", False, text)), gain=replace(GAIN, method=text),
    )  # fmt: skip


def test_the_comment_says_verdict_effect_claim_and_caveats() -> None:
    text = comment(REVIEW)
    assert text.startswith("### branchlab: better\n")
    assert "| measured here | +0.0312 | +0.0204 to +0.0420 | 6 | 21.5 s |" in text
    assert "| claimed (confirm split) | +0.0300 | +0.0200 to +0.0400 | 6 | 384.0 s for the whole search |" in text
    assert "The claim **holds**" in text
    assert "| in\\_scope | passed | 1 file |" in text
    assert "- 6 of 6 seeds are those of the claim." in text


def test_the_comment_of_a_lie() -> None:
    lie = replace(EFFECT, mean=0.3, high=0.4)
    text = comment(replace(REVIEW, claim=replace(CLAIM, effect=lie), again=recheck(lie, GAIN)))
    assert text.startswith("### branchlab: better, but not as claimed\n")
    assert "The claim **does not hold**" in text


def test_the_comment_of_a_refusal_has_no_numbers() -> None:
    text = comment(REFUSED)
    assert text.startswith("### branchlab: refused\n")
    assert "measured here" not in text
    assert "**not passed** | score.py: protected by target.toml" in text


@pytest.mark.parametrize("text", [*HOSTILE, SURROGATE, "#12 GH-12 org/repo#3 @team", "a\n\n## b\n- c", "x" * 100_000])
def test_no_text_of_a_stranger_is_markup_in_a_comment(text: str) -> None:
    shown = comment(hostile(text))
    assert len(shown) < 65_536
    plain = "".join(line for line in shown if line != "\n")
    assert plain.isprintable()
    html = MarkdownIt("gfm-like", {"html": False, "linkify": False}).enable("table").render(shown)
    assert set(re.findall(r"<(\w+)", html)) <= {
        "h3",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "ul",
        "li",
        "code",
    }
    assert html.count("<h3") == 1
    raw = set(re.findall(r"&lt;(?:!--|/?\w+)", html))
    prose = re.sub(r"<code>.*?</code>", "", html)
    assert raw >= {"&lt;sub", "&lt;/sub"}  # ours; raw HTML that is not escaped would be seen in `shown`
    unescaped = re.sub(r"`+[^`]*`+", "", shown)
    assert not re.search(r"(?<!\\)<(?!sub>|/sub>|!-- -->)", unescaped)
    assert not re.search(r"@\w", prose)
    assert not re.search(r"(?i)(#|\bGH-)\d", prose)


@given(st.text(st.characters(), max_size=80))
def test_any_text_gives_a_comment_and_a_document(text: str) -> None:
    assert "\n### " not in comment(hostile(text))
    ET.fromstring(junit(hostile(text)).encode())  # noqa: S314


ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "system-out": set(),
}
"""Of those that the JUnit schema of Jenkins and Surefire knows, the ones written here."""
CHILDREN = {"testsuites": ["testsuite"], "testsuite": ["testcase", "system-out"], "testcase": ["failure"]}


def check_schema(element: ET.Element) -> None:
    assert set(element.attrib) == ATTRIBUTES[element.tag]
    order = [CHILDREN[element.tag].index(child.tag) for child in element]
    assert order == sorted(order)  # the schema wants system-out last
    for child in element:
        check_schema(child)


@pytest.mark.parametrize("review", [REVIEW, REFUSED, *(hostile(text) for text in (*HOSTILE, SURROGATE))])
def test_junit_follows_the_schema_and_counts_right(review: Reviewed) -> None:
    top = ET.fromstring(junit(review).encode())  # noqa: S314
    assert top.tag == "testsuites"
    check_schema(top)
    cases, failures = list(top.iter("testcase")), list(top.iter("failure"))
    for element in (top, top[0]):
        assert (element.get("tests"), element.get("failures")) == (str(len(cases)), str(len(failures)))
    assert cases[-1].get("name") == "verdict"
    assert (cases[-1].find("failure") is None) == review.passed


def test_junit_has_a_case_for_each_question_the_claim_and_the_verdict() -> None:
    top = ET.fromstring(junit(REVIEW))  # noqa: S314
    assert [case.get("name") for case in top.iter("testcase")] == ["in_scope", "claimed effect", "verdict"]
    assert [case.get("time") for case in top.iter("testcase")] == ["0.000", "0.000", "21.500"]
    assert "6 of 6 seeds" in (top.findtext("testsuite/system-out") or "")


def test_a_claim_alone_makes_no_branch_better() -> None:
    tie = Difference(0.001, -0.01, 0.012, 6, "paired t over 6 seeds", True)
    assert not replace(REVIEW, gain=tie, again=recheck(EFFECT, tie)).passed
    assert not replace(REVIEW, verdicts=(Verdict("guard", False, "slower"),)).passed
    assert not replace(REVIEW, runs=(RUN, replace(RUN, seed=1, score=None, status="failed"))).passed
    assert not REFUSED.passed
    assert replace(REVIEW, claim=None, again=None).passed

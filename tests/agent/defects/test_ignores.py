"""Comments that silence a finding, and those that only seem to."""

import pytest

from branchlab.agent.code_map import CodeMap
from branchlab.agent.proposers.defects import DefectsProposer, find_defects
from branchlab.agent.read import read_code

PLAIN = """\
def train(model, loader, optimizer):
    for x, y in loader:
        loss = model(x, y)
        loss.backward()
        optimizer.step()
"""
GOOD = "# branchlab: ignore[missing_zero_grad] accumulates on purpose"


def kinds(text: str) -> list[str]:
    return [finding.detector for finding in find_defects(CodeMap("0" * 40, {"train.py": text.encode()}))]


def trailing(line: str, comment: str) -> str:
    assert line in PLAIN
    return PLAIN.replace(line, f"{line}  {comment}")


SILENCED = {
    "on the line": trailing("loss.backward()", GOOD),
    "on the line above": PLAIN.replace("        loss.backward()", f"        {GOOD}\n        loss.backward()"),
    "above, with another comment and a blank line": PLAIN.replace(
        "        loss.backward()", f"        {GOOD}\n        # more\n\n        loss.backward()"
    ),
    "on the def line": trailing("def train(model, loader, optimizer):", GOOD),
    "above the def line": f"{GOOD}\n{PLAIN}",
    "on a wrapped def line": PLAIN.replace("loader, optimizer):", f"loader,  {GOOD}\n    optimizer,\n):"),
    "above a decorator": f"{GOOD}\n@main\n{PLAIN}",
    "on the last line of a statement": trailing("loss.backward()", "").replace(
        "loss.backward()", f"loss.backward(\n            None\n        )  {GOOD}"
    ),
    "several kinds": trailing("loss.backward()", "# branchlab: ignore[evaluation_mode, missing_zero_grad] both are meant"),
    "after a dash": trailing("loss.backward()", "# noqa; branchlab: ignore[missing_zero_grad] - accumulates"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENCED)
def test_is_silenced(case: str) -> None:
    assert kinds(PLAIN) == ["missing_zero_grad"]
    assert kinds(SILENCED[case]) == []


NOT_SILENCED = {
    "another line": trailing("optimizer.step()", GOOD),
    "another kind": trailing("loss.backward()", "# branchlab: ignore[evaluation_mode] accumulates on purpose"),
    "another function": f"def other():  {GOOD}\n    pass\n\n\n{PLAIN}",
    "the loop's head": trailing("for x, y in loader:", GOOD),
    "in a string": PLAIN.replace("loss = model(x, y)", f'loss = model(x, "{GOOD}")'),
}


@pytest.mark.parametrize("case", NOT_SILENCED)
def test_is_not_silenced(case: str) -> None:
    assert kinds(NOT_SILENCED[case]) == ["missing_zero_grad"]


WRONG = {
    "# branchlab: ignore[missing_zero_grad]": "no reason",
    "# branchlab: ignore[missing_zero_grad] -- ": "no reason",
    "# branchlab: ignore[zero_grad] accumulates on purpose": 'did you mean "missing_zero_grad"?',
    "# branchlab: ignore accumulates on purpose": "no kind",
    "# branchlab: ignore[] accumulates on purpose": "no kind",
}


@pytest.mark.parametrize("comment", WRONG)
def test_a_mistaken_comment_silences_nothing_and_is_reported(comment: str) -> None:
    code = CodeMap("0" * 40, {"train.py": trailing("loss.backward()", comment).encode()})
    found = {finding.detector: finding for finding in find_defects(code)}
    assert sorted(found) == ["ignore_comment", "missing_zero_grad"]
    assert WRONG[comment] in found["ignore_comment"].rationale
    assert found["ignore_comment"].line == 4
    assert found["ignore_comment"].action == "advise"


def test_other_comments_of_ours_are_left_alone() -> None:
    assert kinds("x = 1  # branchlab: made by a run\n") == []


def test_nothing_is_proposed_for_what_is_silenced() -> None:
    for text, expected in ((PLAIN, 1), (SILENCED["on the line"], 0)):
        code = read_code("0" * 40, {"train.py": text.encode()})
        assert len(DefectsProposer().propose(code, (), (), limit=5)) == expected

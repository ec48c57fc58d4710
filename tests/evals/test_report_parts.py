"""The report's small parts: hostile text, diffs, curves, numbers, names."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from branchlab.evals.naming import trial_title
from branchlab.evals.report import numbers
from branchlab.evals.report.curves import anytime
from branchlab.evals.report.diff import MAX_LINES, read_diff
from branchlab.evals.report.text import md_code, md_code_cell, md_fence, md_text, one_line, tail, visible
from branchlab.evals.trial import Arm, Decision, ProposalRecord, Run, Score, Trial

from .sample_run import DIFF, HOSTILE

ANYTHING = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("`|\\<>[]()*_~#-+=!&@:. \n\r\t\x00\u202e\u2028\ud800"))
)
MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")


# text


@given(ANYTHING)
def test_visible_text_has_nothing_that_cannot_be_seen(text: str) -> None:
    shown = visible(text)
    assert all(c == "\n" or c.isprintable() or c.isspace() for c in shown)
    shown.encode("utf-8")  # a lone surrogate would not


def test_visible_text_of_plain_text_is_itself() -> None:
    assert visible("naïve 数据 → 1\nnext\u00a0line") == "naïve 数据 → 1\nnext\u00a0line"
    assert visible("a\r\nb\tc\rd") == "a\nb    c\\x0dd"


@given(ANYTHING, st.integers(min_value=2, max_value=50))
def test_one_line_is_one_line_and_no_longer(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= limit


def test_tail_keeps_the_end() -> None:
    assert tail("\n".join(f"line {n}" for n in range(100)), lines=2) == "line 98\nline 99"
    assert tail("x" * 1000, width=10) == "x" * 9 + "…"


def _parsed(markdown: str) -> tuple[list[str], str]:
    """Token types, and the text a reader sees."""
    blocks = MARKDOWN.parse(markdown)
    children = [child for block in blocks for child in block.children or ()]
    seen = "".join(child.content for child in children if child.type in ("text", "code_inline", "text_special"))
    return [token.type for token in (*blocks, *children)], seen


@given(ANYTHING)
@example("[x](javascript:alert(1))")
@example("<script>alert(1)</script> <https://evil.example> &lt; &#60;")
@example("1. x")
@example("- x")
@example("a\\|b \\\\| c")
@example("# h\n===\n---")
def test_markdown_prose_is_one_paragraph_of_the_same_text(text: str) -> None:
    types, seen = _parsed("x " + md_text(text))
    assert set(types) <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special", "html_inline"}
    assert seen == ("x " + one_line(text)).strip()


@given(ANYTHING.filter(lambda text: text.strip() != ""))
def test_markdown_prose_at_the_start_of_a_line_begins_no_block(text: str) -> None:
    types, _ = _parsed(md_text(text))
    assert set(types) <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special", "html_inline"}


@given(ANYTHING, ANYTHING)
@example("a\\|b", "`|`")
@example("\\", "x")
def test_a_table_cell_cannot_leave_its_cell(prose: str, code: str) -> None:
    types, _ = _parsed(f"| a | b |\n| --- | --- |\n| {md_text(prose)} | {md_code_cell(code)} |\n")
    assert types.count("td_open") == 2
    assert types.count("tr_open") == 2


@given(ANYTHING)
@example("``` `x` ````")
def test_code_cannot_end_its_span(text: str) -> None:
    types, seen = _parsed("x " + md_code(text))
    assert types.count("code_inline") == (1 if one_line(text) else 0)
    assert seen.removeprefix("x").strip() == one_line(text).strip()


@given(ANYTHING)
@example("```\n````\n~~~\n")
def test_a_fence_cannot_be_ended_from_inside(text: str) -> None:
    blocks = MARKDOWN.parse(md_fence(text, "diff") + "\n\nafter")
    assert [block.type for block in blocks] == ["fence", "paragraph_open", "inline", "paragraph_close"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_address_is_left_that_a_host_would_turn_into_a_link(text: str) -> None:
    shown = md_text(text, 1000)
    assert not re.search(r"https?://|www\.|@\w", shown)


# diffs


def test_a_diff_is_read_line_by_line() -> None:
    (file,) = read_diff(DIFF)
    assert (file.name, file.added, file.removed) == ("train.py", 2, 2)
    removed, added = (next(line for line in file.lines if line.kind == kind) for kind in ("del", "add"))
    assert (removed.old, removed.new) == (34, None)
    assert (added.old, added.new) == (None, 34)
    assert "".join(text for text, changed in removed.parts if changed) == "F.softmax(, dim=1)"
    assert not any(changed for _, changed in added.parts)
    assert file.lines[-1].kind == "del"


def test_lines_that_look_like_headers_inside_a_hunk_are_lines() -> None:
    diff = "diff --git a/q.sql b/q.sql\n--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old note\n+++ new note\n x\n"
    (file,) = read_diff(diff)
    assert [line.kind for line in file.lines] == ["hunk", "del", "add", "same"]
    assert "".join(text for text, _ in file.lines[1].parts) == "-- old note"


def test_new_deleted_renamed_and_binary_files_keep_their_names() -> None:
    diff = (
        "diff --git a/new.py b/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n"
        "diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/m.bin b/m.bin\nindex 1..2 100644\nBinary files a/m.bin and b/m.bin differ\n"
    )
    assert [(f.name, f.added, f.removed) for f in read_diff(diff)] == [
        ("new.py", 1, 0),
        ("old.py", 0, 1),
        ("m.bin", 0, 0),
    ]


def test_a_missing_newline_is_a_note() -> None:
    diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n"
    assert [line.kind for line in read_diff(diff)[0].lines] == ["hunk", "del", "note", "add", "note"]


def test_an_endless_diff_is_cut_and_says_so() -> None:
    n = 20_000
    (file,) = read_diff(f"diff --git a/a b/a\n+++ b/a\n@@ -0,0 +1,{n} @@\n" + "+x\n" * n)
    assert file.added == n
    assert len(file.lines) == MAX_LINES + 1
    assert "more lines" in file.lines[-1].parts[0][0]


@given(ANYTHING)
def test_any_text_at_all_can_be_read_as_a_diff(text: str) -> None:
    for file in read_diff(text):
        for line in file.lines:
            assert "\n" not in "".join(part for part, _ in line.parts)


@given(st.lists(st.tuples(st.sampled_from("+- "), st.text(alphabet="ab( ,=", max_size=12)), max_size=30))
def test_marking_what_changed_loses_no_character(lines: list[tuple[str, str]]) -> None:
    old, new = (sum(sign in kinds for sign, _ in lines) for kinds in ("- ", "+ "))
    body = "".join(f"{sign}{text}\n" for sign, text in lines)
    found = [
        line
        for file in read_diff(f"diff --git a/a b/a\n+++ b/a\n@@ -1,{old} +1,{new} @@\n{body}")
        for line in file.lines
    ]
    assert ["".join(text for text, _ in line.parts) for line in found[1 : len(lines) + 1]] == [
        text for _, text in lines
    ]


# curves


def _trial(score: float | None, decision: Decision = "keep", arm: Arm = "edits", seconds: float = 2.0) -> Trial:
    run = Run(0, "search", "ok", "", None if score is None else Score("m", score), seconds, seconds, 1.0, "", "b")
    return Trial("t", "r", arm, "search", "c", "p", {}, None, (run,), (), decision, seconds)


def test_a_curve_steps_at_the_end_of_each_better_trial_and_failures_cost() -> None:
    trials = [_trial(0.5), _trial(None, "crash"), _trial(0.9, "discard"), _trial(0.4), _trial(0.7)]
    curve = anytime(trials, "edits", "maximize", 0.3)
    assert curve.steps == ((0.0, 0.3), (2.0, 0.5), (10.0, 0.7))
    assert curve.failures == (4.0,)
    assert curve.spent == 10.0
    assert curve.best_at(9.9) == 0.5


def test_a_loss_goes_down_and_other_arms_and_splits_are_not_mixed_in() -> None:
    confirm = replace(_trial(0.01), phase="confirm")
    trials = [_trial(0.5), _trial(0.1, arm="tuner"), confirm, _trial(0.4), _trial(0.45)]
    assert anytime(trials, "edits", "minimize").steps == ((2.0, 0.5), (4.0, 0.4))


def test_a_trial_with_one_failed_seed_has_no_score() -> None:
    half = replace(_trial(0.9), runs=(*_trial(0.9).runs, *_trial(None).runs))
    assert anytime([half], "edits", "maximize").steps == ()


# numbers and names


def test_numbers_read_as_a_person_writes_them() -> None:
    assert numbers.signed(0.0312, 4) == "+0.0312"
    assert numbers.signed(-0.0312, 4) == "−0.0312"
    assert numbers.signed(-0.00001, 4) == "0.0000"
    assert numbers.signed(None) == numbers.score(None) == numbers.seconds(None) == numbers.dollars(None) == "–"
    assert numbers.interval(-0.001, 0.02, 3) == "−0.001 to +0.020"
    assert numbers.interval(None, 0.1) == "–"
    assert numbers.seconds(36_000) == "10.00 h"
    assert numbers.dollars(0.01234) == "$0.0123"
    assert [numbers.decimals([v]) for v in (0.0, 0.0042, 0.2, 150.0, 1e-9, None)] == [4, 4, 2, 2, 6, 4]


def test_a_trial_is_named_by_what_was_done() -> None:
    def record(kind: str) -> dict[str, ProposalRecord]:
        return {
            "p": ProposalRecord(
                "p", "r", "edits", kind, kind, "Set LR=0.1", "", (), (), "tpe", "c", "d", "", "branched"
            )
        }

    tuned = replace(_trial(0.1), params={"train.py::LR": 0.1, "m.py::Net.bias": False}, proposal_id="p")
    assert trial_title(replace(tuned, params={}, proposal_id=None), {}) == "the code as it is"
    assert trial_title(tuned, record("hyperparameter"), {"train.py::LR": 0.001}) == "Net.bias = false, LR 0.001 → 0.1"
    assert trial_title(tuned, record("bug_fix")) == "Set LR=0.1, with Net.bias = false, LR = 0.1"
    assert trial_title(replace(tuned, params={}), {}) == "proposal p"

"""A claim is written as trailers and read back as it was; whatever else stands there is refused in one line."""

import math
import re
import subprocess
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.claim import Claim, Effect, parse_claim, rounded, to_trailers
from branchlab.targets.errors import UsageError

BASE, TREE = "1f" * 20, "9a" * 20
EFFECT = Effect(0.0312, 0.0204, 0.042, "confirm", (100, 101, 102, 103, 104, 105), 384.0)
CLAIM = Claim("points", BASE, TREE, "accuracy", "maximize", EFFECT)
MESSAGE = f"Use both coordinates\n\nfeatures() ignores one.\n\nKind: bug_fix\n{to_trailers(CLAIM)}\n"


def effects() -> st.SearchStrategy[Effect]:
    numbers = st.floats(-1e300, 1e300, allow_nan=False)
    ordered = st.lists(numbers, min_size=3, max_size=3).map(sorted)
    seeds = st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=256, unique=True).map(tuple)
    budgets = st.floats(0, 1e12, allow_nan=False)
    return st.builds(
        lambda three, split, seeds, budget: Effect(three[1], three[0], three[2], split, seeds, budget),
        ordered, st.sampled_from(["search", "confirm"]), seeds, budgets,
    )  # fmt: skip


def claims() -> st.SearchStrategy[Claim]:
    hexes = st.text("0123456789abcdef", min_size=40, max_size=40)
    names = st.text(min_size=1, max_size=60).map(lambda t: " ".join(t.split())).filter(lambda t: t and t.isprintable())
    targets = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
    return st.builds(
        Claim, targets, hexes, hexes, names, st.sampled_from(["maximize", "minimize"]), st.none() | effects()
    )


@given(claims(), st.text(max_size=200).filter(lambda t: "branchlab-" not in t.lower()))
def test_what_is_written_is_read_back(claim: Claim, subject: str) -> None:
    assert parse_claim(f"{subject}\n\nKind: bug_fix\n{to_trailers(claim)}\n") == claim
    assert parse_claim(to_trailers(claim).replace("\n", "\r\n") + "\n\n\n") == claim


@given(
    st.text() | st.lists(st.sampled_from(["Branchlab-", "branchlab-effect", ":", " ", "\n", "+1", "x"])).map("".join)
)
def test_any_message_is_no_claim_or_one_line_of_complaint(message: str) -> None:
    """Whatever is thrown at it, it raises nothing else."""
    with suppress(UsageError):
        assert parse_claim(message) is None or "branchlab-" in message.lower()


@given(st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3).map(sorted))
def test_rounding_keeps_an_effect_inside_its_interval(three: list[float]) -> None:
    low, mean, high = map(rounded, three)
    assert low <= mean <= high
    assert math.isclose(mean, three[1], rel_tol=1e-5, abs_tol=1e-320)


def test_git_reads_the_same_trailers() -> None:
    told = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=MESSAGE, capture_output=True, text=True, check=True
    )
    assert to_trailers(CLAIM) in told.stdout


def test_a_message_without_them_has_no_claim() -> None:
    assert parse_claim("Raise the rate\n\nSigned-off-by: Ada <ada@example.org>\n") is None
    assert parse_claim("") is None
    assert parse_claim("We talk of Branchlab-Effect: here, in the middle of a line") is None


def test_other_trailers_beside_them_do_no_harm() -> None:
    assert parse_claim(MESSAGE + "Signed-off-by: Ada <ada@example.org>\nReviewed-by: Bob\n") == CLAIM


def test_git_keys_have_no_case() -> None:
    assert parse_claim(MESSAGE.replace("Branchlab-Effect", "branchlab-effect")) == CLAIM


def test_a_commit_nobody_measured_says_what_it_is_and_no_number() -> None:
    bare = replace(CLAIM, effect=None)
    assert "Effect" not in to_trailers(bare)
    assert parse_claim(f"Subject\n\n{to_trailers(bare)}") == bare


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("+0.0312", "lots", r"Branchlab-Effect is malformed; wanted a number such as \+0.0312; found lots; fix: "),
        ("+0.0312", "nan", "Effect is malformed"),
        ("+0.0312", "1e999", "Effect is malformed; wanted a finite number; found inf"),
        ("+0.0312", "١", "Effect is malformed"),
        ("+0.0312", "+0.312", r"Interval is malformed; wanted one that holds the effect \+0.312"),
        ("[+0.0204, +0.042] 95%", "[+0.042, +0.0204] 95%", "Interval is malformed"),
        ("[+0.0204, +0.042] 95%", "+0.0204 to +0.042", r"Interval is malformed; wanted \[LOW, HIGH\] 95%"),
        ("95%", "50%", "Interval is malformed"),
        ("100 101", "100 100", "Seeds is malformed; wanted 2 to 256 different seeds"),
        ("100 101 102 103 104 105", "100", "Seeds is malformed"),
        ("100 101", "100, 101", "Seeds is malformed"),
        ("100 101", "-1 101", "Seeds is malformed"),
        ("100 101", "9999999999 101", "Seeds is malformed; wanted numbers from 0"),
        ("100 101", "1" * 5000, "Seeds is malformed; wanted at most 4000 characters"),
        ("384 device seconds", "384 hours", "Budget is malformed; wanted N device seconds; found 384 hours"),
        ("384 device seconds", "-384 device seconds", "Budget is malformed"),
        ("Split: confirm", "Split: sealed", "Split is malformed; wanted search or confirm; found sealed"),
        (BASE, "main", "Base is malformed; wanted 40 hex digits; found main"),
        (BASE, BASE.upper(), "Base is malformed"),
        (TREE, "9a", "Tree is malformed"),
        ("accuracy (maximize)", "accuracy", r"Metric is malformed; wanted NAME \(maximize\)"),
        ("accuracy (maximize)", "acc\x1b[31muracy (maximize)", "Metric is malformed; wanted characters"),
        ("Target: points", "Target: ../points", "Target is malformed"),
        ("Branchlab-Effect: +0.0312\n", "", "Effect is malformed; wanted one, since there is Branchlab-Interval; found none"),
        (f"Branchlab-Base: {BASE}\n", "", "Base is malformed; wanted one.*found none"),
        ("Branchlab-Effect: +0.0312", "Branchlab-Effect: +0.0312\nBranchlab-Effect: +0.0312", "wanted one; found two"),
        ("Branchlab-Effect: +0.0312", "Branchlab-Effect: +0.03\n 12", "Effect is malformed; wanted a value on one line"),
        ("Branchlab-Effect", "Branchlab-Efect", "not a trailer of a claim; wanted .*; found Branchlab-Efect; fix: "),
        ("Branchlab-Effect:", "Branchlab-Effect :", "not a trailer of a claim"),
        ("Branchlab-Seeds", "\nBranchlab-Seeds", "wanted it in the last paragraph of the message; found it in line"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_in_one_line(old: str, new: str, said: str) -> None:
    assert old in MESSAGE
    with pytest.raises(UsageError, match=said) as caught:
        parse_claim(MESSAGE.replace(old, new))
    assert re.fullmatch(r"[ -~]*|.*١.*", str(caught.value))
    assert caught.value.exit_code == 2


def test_a_squashed_message_hides_no_claim() -> None:
    """Trailers above a later paragraph are no trailers for git; here they are a mistake, not a silence."""
    with pytest.raises(UsageError, match="last paragraph"):
        parse_claim(MESSAGE + "\n* second commit\n")


@pytest.mark.parametrize("low", [-math.inf, math.nan])
def test_a_claim_that_cannot_be_is_not_made(low: float) -> None:
    with pytest.raises(UsageError, match="Interval is malformed"):
        replace(EFFECT, low=low)

"""From a run to branches that claim what was measured, and from a claim back to a measurement, on a fresh clone."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from xml.etree import ElementTree as ET

import pytest

from branchlab.evals.claim import Claim, parse_claim, to_trailers

from .project import FIX, PREDICT, git, make_project, write_answers

FLIPPED = PREDICT.replace("score(weights, p) > 0)", "(score(weights, p) > 0) != (p[1] > 1))")
FLIP = {
    "kind": "bug_fix",
    "title": "Branchlab-Effect: +9",
    "rationale": "Points far up get the other answer.\nBranchlab-Effect: +9\n\nbranchlab-seeds: 1 2",
    "edits": [{"operator": "replace_expression", "file": "predict.py", "symbol": "",
               "arguments": {"old": "(score(weights, p) > 0) != (p[1] > 1)", "new": "score(weights, p) > 0"}}],
}  # fmt: skip
BOTH = {**FIX, "title": "Mend both mistakes", "edits": [*FIX["edits"], *FLIP["edits"]]}  # type: ignore[misc]


def branchlab(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "branchlab", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two mistakes in two files, after a run that was told how to mend them."""
    folder = make_project(tmp_path_factory.mktemp("promoted") / "project", files={"predict.py": FLIPPED})
    model = write_answers(folder / "answers.json", {"proposals": [BOTH, FIX, FLIP]})
    before = git(folder / "repo", "status", "--porcelain", "--branch"), git(folder / "repo", "rev-parse", "HEAD")
    result = branchlab(folder, "run", "target.toml", "--budget", "45s", "--jobs", "2", "--model", model)
    assert result.returncode == 0, result.stderr
    assert before == (
        git(folder / "repo", "status", "--porcelain", "--branch"),
        git(folder / "repo", "rev-parse", "HEAD"),
    )
    return folder


@pytest.fixture
def clone(finished: Path, tmp_path: Path) -> Path:
    """What a CI machine has: the project's data and target.toml, and a clone that never ran anything."""
    folder = tmp_path / "ci"
    folder.mkdir()
    for name in ("target.toml", "data"):
        source = finished / name
        copytree(source, folder / name) if source.is_dir() else (folder / name).write_text(source.read_text())
    git(finished, "clone", "-q", str(finished / "repo"), str(folder / "repo"))
    return folder


def branches(folder: Path) -> list[str]:
    listed = git(folder / "repo", "for-each-ref", "--format=%(refname:short)", "refs/heads/branchlab", "refs/remotes")
    return [name for name in listed.split() if "branchlab/" in name]


def claim_of(folder: Path, branch: str) -> Claim:
    claim = parse_claim(git(folder / "repo", "log", "-1", "--format=%B", branch))
    assert claim
    return claim


def of_title(folder: Path, part: str) -> str:
    return next(name for name in branches(folder) if part in name)


def test_the_winner_comes_whole_and_edit_by_edit_each_from_the_base(finished: Path) -> None:
    repo = finished / "repo"
    whole, first, second = (of_title(finished, part) for part in ("mend-both", "use-both", "branchlab-effect-9"))
    assert git(repo, "rev-list", "--count", f"main..{whole}") == "1"
    for branch, file in ((first, "model.py"), (second, "predict.py")):
        assert git(repo, "rev-list", "--count", f"main..{branch}") == "1"
        assert git(repo, "diff", "--name-only", "main", branch) == file
    trees = set()
    for order in ((first, second), (second, first)):
        git(repo, "checkout", "-q", "--detach", "main")
        for branch in order:
            git(repo, "merge", "-q", "--no-edit", branch)
        trees.add(git(repo, "rev-parse", "HEAD^{tree}"))
    git(repo, "checkout", "-q", "main")
    assert trees == {git(repo, "rev-parse", f"{whole}^{{tree}}")}


def test_every_promoted_commit_claims_what_the_ledger_holds_and_nothing_else(finished: Path) -> None:
    data = json.loads(branchlab(finished, "--json", "show", "last").stdout)
    arms = {arm["arm"]: arm for arm in data["comparison"]["arms"]}
    base = git(finished / "repo", "rev-parse", "main")
    for commit in git(finished / "repo", "rev-list", "main..", *branches(finished), "--branches=branchlab/*").split():
        claim = claim_of(finished, commit)
        assert claim.tree == git(finished / "repo", "rev-parse", f"{commit}^{{tree}}")
        assert (claim.base, claim.target, claim.metric, claim.direction) == (base, "points", "accuracy", "maximize")
    whole = claim_of(finished, of_title(finished, "mend-both")).effect
    assert whole
    assert whole.split == "confirm"
    assert whole.mean == pytest.approx(arms["edits"]["gain"]["mean"], rel=1e-5)
    assert (whole.low, whole.high) == pytest.approx(
        (arms["edits"]["gain"]["low"], arms["edits"]["gain"]["high"]), rel=1e-5
    )
    alone = claim_of(finished, of_title(finished, "use-both")).effect
    assert alone
    assert (alone.split, alone.seeds) == ("confirm", whole.seeds)
    shares = data["comparison"]["attribution"]["edits"]
    assert [share["title"] for share in shares] == ["Use both coordinates", "Branchlab-Effect: +9"]
    assert alone.mean == pytest.approx(shares[0]["alone"]["mean"], rel=1e-5)


def test_the_ledger_knows_the_measured_and_the_promoted_commit(finished: Path) -> None:
    data = json.loads(branchlab(finished, "--json", "show", "last").stdout)
    promoted = {entry["branch"]: entry for entry in data["run"]["settings"]["promoted"]}
    assert set(promoted) == set(branches(finished))
    clone = next((finished / ".branchlab" / "repos").glob("*.git"))
    rows = {row["branch"]: row for row in data["proposals"] if row["branch"]}
    for branch, row in rows.items():
        tip = git(finished / "repo", "rev-parse", branch)
        assert promoted[branch]["commit"] == tip
        assert promoted[branch]["measured"] == row["commit"] != tip
        assert git(clone, "rev-parse", f"{tip}^{{tree}}") == git(clone, "rev-parse", f"{row['commit']}^{{tree}}")


def test_an_honest_claim_holds_in_a_fresh_clone(clone: Path) -> None:
    branch = of_title(clone, "mend-both")
    summary = clone / "summary.md"
    words = ("review", "target.toml", branch, "--jobs", "2", "--format", "github")
    result = branchlab(clone, *words, GITHUB_STEP_SUMMARY=str(summary))
    assert result.returncode == 0, result.stderr
    assert "its claim holds" in result.stderr
    assert result.stdout.startswith("### branchlab: better\n")
    assert "The claim **holds**" in result.stdout
    assert re.search(r"(\d) of \1 seeds are those of the claim", result.stdout), result.stdout
    assert summary.read_text() == result.stdout


def retold(clone: Path, branch: str, message: str) -> str:
    """A branch with the same files and another message."""
    repo = clone / "repo"
    commit = git(repo, "commit-tree", f"{branch}^{{tree}}", "-p", f"{branch}^", "-m", message)
    git(repo, "branch", "-f", "told", commit)
    return "told"


@pytest.mark.parametrize("widened", [False, True])
def test_a_claim_of_ten_times_the_effect_does_not_hold(clone: Path, widened: bool) -> None:
    branch = of_title(clone, "mend-both")
    claim = claim_of(clone, branch)
    effect = claim.effect
    assert effect
    low = -1000.0 if widened else effect.low
    lie = replace(claim, effect=replace(effect, mean=10 * effect.mean, low=low, high=10 * effect.high))
    told = retold(clone, branch, f"Better\n\n{to_trailers(lie)}")
    result = branchlab(clone, "review", "target.toml", told, "--jobs", "2", "--format", "junit")
    assert result.returncode == 1, result.stderr
    assert "its claim does not hold" in result.stderr
    cases = ET.fromstring(result.stdout).iter("testcase")  # noqa: S314
    failed = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failed == {"claimed effect", "verdict"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"Metric: accuracy \(maximize\)", "Metric: accuracy (minimize)", "another metric"),
        (r"Metric: accuracy", "Metric: f1", "another metric"),
        (r"Base: \w+", "Base: " + "1" * 40, "another base"),
        (r"Tree: \w+", "Tree: " + "1" * 40, "another content"),
        (r"Target: \w+", "Target: circles", "another target"),
    ],
)  # fmt: skip
def test_a_claim_about_something_else_is_refused_before_any_run(clone: Path, old: str, new: str, said: str) -> None:
    branch = of_title(clone, "mend-both")
    message = re.sub(f"Branchlab-{old}", f"Branchlab-{new}", git(clone / "repo", "log", "-1", "--format=%B", branch))
    result = branchlab(clone, "review", "target.toml", retold(clone, branch, message))
    assert result.returncode == 1, result.stderr
    assert f"is refused before any run: the claim is about {said}" in result.stderr
    assert json.loads(branchlab(clone, "--json", "show", "last").stdout)["trials"] == []


def test_content_that_was_changed_under_its_claim_is_refused(clone: Path) -> None:
    repo, branch = clone / "repo", of_title(clone, "mend-both")
    git(repo, "checkout", "-q", "-b", "changed", branch)
    (repo / "model.py").write_text((repo / "model.py").read_text() + "\n\nEXTRA = 1\n")
    git(repo, "commit", "-q", "-a", "--amend", "--no-edit")
    git(repo, "checkout", "-q", "main")
    result = branchlab(clone, "review", "target.toml", "changed")
    assert result.returncode == 1
    assert "another content" in result.stderr


def test_a_malformed_claim_is_a_usage_error_in_one_line(clone: Path) -> None:
    branch = of_title(clone, "mend-both")
    message = re.sub(r"Effect: \S+", "Effect: huge", git(clone / "repo", "log", "-1", "--format=%B", branch))
    result = branchlab(clone, "review", "target.toml", retold(clone, branch, message))
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("branchlab: the claim's trailer Branchlab-Effect is malformed; wanted a number")
    assert "found huge; fix: " in last


def test_a_branch_that_does_not_descend_from_its_base_is_a_usage_error(clone: Path) -> None:
    repo, branch = clone / "repo", of_title(clone, "mend-both")
    git(repo, "commit", "-q", "--allow-empty", "-m", "elsewhere")
    result = branchlab(clone, "review", "target.toml", branch, "--base", "main")
    assert result.returncode == 2
    assert "is not a descendant of its base" in result.stderr.strip().splitlines()[-1]
    git(repo, "checkout", "-q", "--orphan", "alone")
    git(repo, "commit", "-q", "-m", "no common history")
    git(repo, "checkout", "-q", "main")
    result = branchlab(clone, "review", "target.toml", "alone")
    assert result.returncode == 2
    assert "no commit in common" in result.stderr.strip().splitlines()[-1]


def test_two_formats_on_one_stdout_are_refused(clone: Path) -> None:
    result = branchlab(clone, "--json", "review", "target.toml", "main", "--format", "junit")
    assert result.returncode == 2
    assert result.stdout == ""

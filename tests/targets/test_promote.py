"""One branch in the user's repository, and not a byte of work tree, index, HEAD or configuration besides."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from branchlab.targets.checkout import Checkout
from branchlab.targets.errors import TargetError

from .conftest import Project

BRANCH = "branchlab/run1/01-raise-the-rate"


@pytest.fixture
def commit(checkout: Checkout) -> str:
    return checkout.commit(checkout.base, {"train.py": b"RATE = 0.2\n"}, "Raise the rate", "refs/branchlab/run1/1")


def test_the_user_gets_a_branch_and_keeps_everything(project: Project, checkout: Checkout, commit: str) -> None:
    project.write({"train.py": b"not committed", "scratch.txt": b"mine"})
    project.write({"pkg/model.py": b"staged"})
    project.git("add", "pkg/model.py")
    before = project.fingerprint()
    assert checkout.promote(commit, BRANCH) == f"refs/heads/{BRANCH}"
    assert project.fingerprint() == before
    assert project.git("rev-parse", BRANCH) == commit
    assert project.git("show", f"{BRANCH}:train.py") == "RATE = 0.2"
    assert project.git("log", "--format=%s", BRANCH).splitlines() == ["Raise the rate", "start"]
    assert "dangling" not in project.git("fsck", "--strict")
    assert project.git("for-each-ref", "--format=%(refname)").splitlines() == [
        f"refs/heads/{BRANCH}",
        "refs/heads/main",
    ]


def test_what_was_not_promoted_stays_in_our_clone(checkout: Checkout, commit: str) -> None:
    other = checkout.commit(checkout.base, {"train.py": b"3"}, "three", "refs/branchlab/run1/2")
    checkout.promote(commit, BRANCH)
    assert checkout.resolve("refs/branchlab/run1/1") == commit
    assert checkout.resolve("refs/branchlab/run1/2") == other


def test_promoting_twice_is_no_error(project: Project, checkout: Checkout, commit: str) -> None:
    assert checkout.promote(commit, BRANCH) == checkout.promote(commit, BRANCH)


def test_a_chain_of_candidates_comes_whole(project: Project, checkout: Checkout, commit: str) -> None:
    child = checkout.commit(commit, {"pkg/model.py": b"WIDTH = 9\n"}, "Widen", "refs/branchlab/run1/2")
    checkout.promote(child, BRANCH)
    assert project.git("log", "--format=%s", BRANCH).splitlines() == ["Widen", "Raise the rate", "start"]


def test_a_branch_is_never_moved(project: Project, checkout: Checkout, commit: str) -> None:
    project.git("branch", BRANCH)
    with pytest.raises(TargetError, match=rf"this branch exists.*found {BRANCH} at {checkout.base}"):
        checkout.promote(commit, BRANCH)
    with pytest.raises(TargetError, match="this branch exists"):
        checkout.promote(commit, "main")
    assert project.git("rev-parse", BRANCH) == checkout.base


def test_a_branch_in_the_way(project: Project, checkout: Checkout, commit: str) -> None:
    project.git("branch", "branchlab")
    with pytest.raises(TargetError, match=r"could not be written.*fix: .*git fetch"):
        checkout.promote(commit, BRANCH)
    assert checkout.resolve("refs/branchlab/run1/1") == commit


def test_an_unborn_branch_that_is_checked_out(project: Project, checkout: Checkout, commit: str) -> None:
    project.git("checkout", "--quiet", "--orphan", BRANCH)
    with pytest.raises(TargetError, match="checked out"):
        checkout.promote(commit, BRANCH)


@pytest.mark.parametrize("branch", ["", "a b", "a..b", "-x/../y", "a.lock", "a\nb", "a~1", "@{u}", "/"])
def test_names_that_are_no_branch(checkout: Checkout, commit: str, branch: str) -> None:
    with pytest.raises(TargetError, match="not a name for a branch"):
        checkout.promote(commit, branch)


def test_a_commit_we_do_not_have(checkout: Checkout) -> None:
    with pytest.raises(TargetError, match="missing"):
        checkout.promote("1" * 40, BRANCH)


def test_a_repository_that_lost_its_history(project: Project, checkout: Checkout, commit: str) -> None:
    project.git("checkout", "--quiet", "--orphan", "fresh")
    project.commit({"train.py": b"new"})
    project.git("branch", "-D", "main")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "--quiet", "--prune=now")
    checkout.promote(commit, BRANCH)
    assert project.git("log", "--format=%s", BRANCH).splitlines() == ["Raise the rate", "start"]


def test_a_read_only_repository_says_so_and_loses_nothing(
    shared_project: Project, become_ordinary: Callable[[Path], None]
) -> None:
    target = shared_project.target()
    git_dir = shared_project.path / ".git"
    inside = [git_dir, *git_dir.rglob("*")]
    for path in inside:
        path.chmod(0o555 if path.is_dir() else 0o444)
    become_ordinary(shared_project.home)
    with Checkout.open(target, shared_project.home) as checkout:
        commit = checkout.commit(checkout.base, {"train.py": b"2"}, "two", "refs/branchlab/run1/1")
        with pytest.raises(
            TargetError, match=r"could not be written.*ermission.*fix: make it writable, then: git"
        ) as caught:
            checkout.promote(commit, BRANCH)
        assert checkout.resolve("refs/branchlab/run1/1") == commit
    os.seteuid(os.getuid())
    for path in inside:
        path.chmod(0o755)
    for path in (checkout.git_dir, *checkout.git_dir.rglob("*")):
        os.chown(path, os.getuid(), -1)
    fix = str(caught.value).rsplit("then: git ", 1)[1].split()
    shared_project.git(*fix)
    assert shared_project.git("rev-parse", BRANCH) == commit


def test_what_a_review_asks_of_two_commits(project: Project, checkout: Checkout, commit: str) -> None:
    same = checkout.commit(checkout.base, {"train.py": b"RATE = 0.2\n"}, "Said otherwise", "refs/branchlab/run1/2")
    assert same != commit
    assert checkout.tree_id(same) == checkout.tree_id(commit) == project_tree(project, checkout, commit)
    assert checkout.message(same) == "Said otherwise\n"
    assert checkout.is_ancestor(checkout.base, commit)
    assert checkout.is_ancestor(commit, commit)
    assert not checkout.is_ancestor(commit, checkout.base)
    assert not checkout.is_ancestor(commit, same)
    with pytest.raises(TargetError, match="merge-base failed"):
        checkout.is_ancestor("1" * 40, commit)


def project_tree(project: Project, checkout: Checkout, commit: str) -> str:
    """What the user's own git says once the commit is there."""
    checkout.promote(commit, BRANCH)
    return project.git("rev-parse", f"{BRANCH}^{{tree}}")

"""Names and paths of targets, and the shipped ones as ordinary repositories."""

import shutil
import subprocess
from pathlib import Path

import pytest

from branchlab.targets.checkout import Checkout, check_scope
from branchlab.targets.errors import TargetError
from branchlab.targets.find import find_target, shipped
from branchlab.targets.shipped import repository_of
from branchlab.targets.target import read_target

from .conftest import Project

SOME = shipped()[0]


def test_a_shipped_target_by_name(tmp_path: Path) -> None:
    assert find_target(SOME, tmp_path).name == SOME


def test_a_drafted_target_by_name(project: Project) -> None:
    folder = project.home / "targets" / "mine"
    folder.mkdir(parents=True)
    project.target()
    shutil.copy(project.home.parent / "target.toml", folder)
    assert find_target("mine", project.home).home == folder


def test_a_folder_and_a_file(project: Project, tmp_path: Path) -> None:
    project.target()
    assert find_target(str(tmp_path), project.home).name == "study"
    assert find_target(str(tmp_path / "target.toml"), project.home).name == "study"


def test_a_misspelt_name_a_bare_folder_and_nothing(project: Project) -> None:
    with pytest.raises(TargetError, match=rf'no such target.*did you mean "{SOME}"'):
        find_target(SOME[:-1], project.home)
    with pytest.raises(TargetError, match=r"no target\.toml in this folder; fix: branchlab init"):
        find_target(str(project.path), project.home)
    with pytest.raises(TargetError, match=r"no such target.*fix: branchlab init"):
        find_target("/nowhere/at/all", project.home)
    with pytest.raises(TargetError):
        find_target("../..", project.home)


@pytest.mark.parametrize("name", shipped())
def test_shipped_targets_are_repositories_of_their_own(name: str, tmp_path: Path) -> None:
    target = find_target(name, tmp_path)
    with Checkout.open(target, tmp_path / "one") as one, Checkout.open(target, tmp_path / "two") as two:
        assert one.base == two.base
        assert one.notes == ()
        assert one.user_repo == tmp_path / "one" / "targets" / name / "repo"
        check_scope(target, one.files(one.base))
        assert not any("__pycache__" in path for path in one.files(one.base))


def test_what_a_user_did_in_a_shipped_repository_stays(tmp_path: Path) -> None:
    target = find_target(SOME, tmp_path)
    with Checkout.open(target, tmp_path) as checkout:
        repo = checkout.user_repo
        assert repo is not None
        commit = checkout.commit(checkout.base, {"new.py": b"1"}, "new", "refs/branchlab/r/1")
        checkout.promote(commit, "branchlab/r/1")
    subprocess.run(["git", "-C", str(repo), "merge", "--quiet", "branchlab/r/1"], check=True, capture_output=True)
    with Checkout.open(target, tmp_path) as again:
        assert again.base == commit
        assert again.notes == ()


def test_changed_code_of_the_package_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    source = find_target(SOME, tmp_path)
    copy = tmp_path / "package" / SOME
    shutil.copytree(source.home, copy)
    target = read_target(copy)
    first = repository_of(target, tmp_path / "home")
    assert repository_of(target, tmp_path / "home") == first
    (copy / "repo" / "train.py").write_text("changed")
    second = repository_of(target, tmp_path / "home")
    assert second != first
    assert (second / "train.py").read_text() == "changed"
    assert (first / "train.py").read_text() != "changed"
    assert repository_of(target, tmp_path / "home") == second


def test_a_folder_of_somebody_else_in_the_way(tmp_path: Path) -> None:
    target = find_target(SOME, tmp_path)
    made = repository_of(target, tmp_path)
    (made / ".git" / "branchlab-shipped").write_text("other")
    second = repository_of(target, tmp_path)
    (second / ".git" / "branchlab-shipped").unlink()
    with pytest.raises(TargetError, match=r"not a repository made from this target.*fix: move"):
        repository_of(target, tmp_path)

"""A repository that brings a state folder of its own along: it is not taken for ours, and nothing is written through it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from branchlab.agent.cli import main
from branchlab.sandbox import environments
from branchlab.targets.errors import TargetError
from branchlab.targets.state_folder import check_home, prepare_home
from branchlab.targets.tracked import tracked
from branchlab.targets.user_repository import UserRepository

from .conftest import Project


def cloned(project: Project, tmp_path: Path) -> Path:
    """A fresh clone, as a person has it who was sent the address."""
    clone = tmp_path / "clone"
    project.git("clone", "--quiet", str(project.path), str(clone))
    return clone


def plant(project: Project, files: dict[str, bytes], links: dict[str, Path] | None = None) -> None:
    project.write(files)
    for name, target in (links or {}).items():
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        (project.path / name).symlink_to(target)
    project.git("add", "--all", "--force")
    project.commit()


def test_a_new_folder_is_made_and_git_does_not_see_it(project: Project) -> None:
    home = prepare_home(project.path / ".branchlab")
    assert (home / ".gitignore").read_text() == "*\n"
    assert project.git("status", "--porcelain", "--untracked-files=all") == ""
    assert prepare_home(home) == home, "and is taken again"


@pytest.mark.parametrize(
    "name", [".branchlab/ledger.db", ".branchlab/targets/x/target.toml", ".branchlab/repos/x.git/commondir", ".branchlab/.gitignore"]
)  # fmt: skip
def test_a_folder_that_was_committed_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    plant(project, {name: b"x"})
    home = cloned(project, tmp_path) / ".branchlab"
    for question in (check_home, prepare_home):
        with pytest.raises(TargetError, match=r"part of a repository.*another --home"):
            question(home)


def test_a_folder_that_is_a_committed_link_is_refused(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    plant(project, {}, {".branchlab": elsewhere})
    with pytest.raises(TargetError, match="part of a repository"):
        prepare_home(cloned(project, tmp_path) / ".branchlab")
    assert not list(elsewhere.iterdir())


def test_nothing_is_written_through_a_link_that_lies_there(tmp_path: Path) -> None:
    """Without git to tell who made it, as in an archive that was unpacked."""
    for number, target in enumerate([tmp_path / "new", tmp_path / "keys"]):
        home = tmp_path / f"home{number}"
        home.mkdir()
        (tmp_path / "keys").write_text("ssh-ed25519 mine")
        (home / ".gitignore").symlink_to(target)
        prepare_home(home)
        assert not (tmp_path / "new").exists()
        assert (tmp_path / "keys").read_text() == "ssh-ed25519 mine"


@pytest.mark.parametrize("words", ["show", "report last", "map .", "run .", "init .", "tune .", "review . main"])
def test_no_command_uses_what_a_repository_brought(
    project: Project, tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = b'name = "x"\nrepo = "."\neditable = ["train.py"]\n[steps]\ntrain = ["python", "train.py", "{out}"]\n'
    metric = b'[metric]\nname = "a"\ndirection = "maximize"\n'
    plant(project, {".branchlab/ledger.db": b"", "target.toml": manifest + metric})
    monkeypatch.chdir(cloned(project, tmp_path))
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 2
    assert "part of a repository" in done.output


def test_a_folder_called_git_that_is_none_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "a" / ".git").mkdir(parents=True)
    (tmp_path / ".git").write_text("gitdir: /nonexistent\n")
    assert prepare_home(tmp_path / "a" / "home").is_dir()
    shutil.rmtree(tmp_path / "a" / "home")
    (tmp_path / "a" / "home").write_text("a file")
    with pytest.raises(TargetError):
        prepare_home(tmp_path / "a" / "home")


@pytest.mark.parametrize("how", ["a file", "a link", "a link to a file", "a file in a linked folder"])
def test_an_interpreter_that_a_repository_brought_is_not_started(project: Project, tmp_path: Path, how: str) -> None:
    """It is asked for its folders outside the sandbox, and a target.toml is often the repository's too."""
    program = project.path / "tools" / "python"
    plant(project, {"tools/python": f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n".encode()})
    program.chmod(0o755)
    named = {"a file": program, "a link": project.path / "py", "a link to a file": tmp_path / "py",
             "a file in a linked folder": project.path / "t" / "python"}[how]  # fmt: skip
    if how in ("a link", "a link to a file"):
        named.symlink_to("/usr/bin/env" if how == "a link" else program)
    elif how == "a file in a linked folder":
        named.parent.symlink_to("tools")
    project.commit()
    with pytest.raises(TargetError, match="a file of a repository"):
        environments.find(str(named))
    assert not (tmp_path / "ran").exists()


def test_a_virtual_environment_in_a_work_tree_is_fine(project: Project) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project.path / ".venv")], check=True)
    found = environments.find(str(project.path / ".venv" / "bin" / "python"))
    assert project.path / ".venv" in found.prefixes


def test_standing_in_a_subfolder_changes_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(project, {"sub/.branchlab/ledger.db": b"x", "sub/bin/python": b"x"})
    monkeypatch.chdir(cloned(project, tmp_path) / "sub")
    assert tracked(Path("bin/python")) == "sub/bin/python"
    with pytest.raises(TargetError, match="part of a repository"):
        check_home(Path(".branchlab"))


def test_a_commit_that_looks_like_a_git_folder_hides_nothing(project: Project, tmp_path: Path) -> None:
    plant(project, {"HEAD": b"ref: refs/heads/x\n", "objects/k": b"", "refs/k": b"", "bin/python": b"x"})
    clone = cloned(project, tmp_path)
    assert tracked(clone / "bin/python") == "bin/python"
    assert UserRepository.at(clone).git_dir == clone / ".git"

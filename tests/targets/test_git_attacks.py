"""Each way to make git run a program: it is loaded, and no command of ours sets it off."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from branchlab.agent.proposers.branch import candidate_of
from branchlab.targets.checkout import Checkout

from .conftest import Project
from .git_attacks import ATTACKS, Attack, Trap, make_trap


@pytest.fixture
def trap(project: Project, tmp_path: Path) -> Trap:
    return make_trap(project, tmp_path)


def plain_git(trap: Trap, command: str) -> None:
    """git as a person calls it, at a terminal, in the work tree."""
    master, terminal = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(trap.program.parent), "TERM": "vt100", "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {"GIT_AUTHOR_NAME": "u", "GIT_AUTHOR_EMAIL": "u@h", "GIT_COMMITTER_NAME": "u", "GIT_COMMITTER_EMAIL": "u@h"}
    asked = b"protocol=http\nhost=h\n\n" if command.startswith("credential") else b""
    try:
        subprocess.run(
            ["git", *command.split()], cwd=trap.project.path, env=env, input=asked, stdout=terminal,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(terminal)
        os.close(master)


def tour(trap: Trap) -> None:
    """Everything the program does with git, from the first look to the branch it hands over, twice."""
    for number in ("1", "2"):
        with trap.project.open() as checkout:
            use(checkout, trap, number)
    bare_url = f"file://{trap.project.path}"
    with trap.project.open(repo=bare_url, commit="main") as checkout:
        use(checkout, trap, "3")


def use(checkout: Checkout, trap: Trap, number: str) -> None:
    base = checkout.base
    for path in checkout.files(base):
        checkout.read(base, path)
    checkout.tree(base), checkout.links(base), checkout.submodules(base), checkout.too_large(base)
    changes: dict[str, bytes | None] = {"train.py": number.encode() + b"\n", "notes.md": b"changed\n"}
    commit = checkout.commit(base, changes, "two", f"refs/branchlab/r/{number}")
    assert f"+{number}" in checkout.diff(base, commit)
    assert set(checkout.changed(base, commit)) == {"train.py", "notes.md"}
    checkout.materialise(commit, trap.program.with_name(f"tree-{number}"))
    branch = f"branchlab/r/{number}"
    checkout.promote(commit, branch)
    assert checkout.resolve(branch) == commit
    assert checkout.merge_base(commit, checkout.resolve("side"))
    assert candidate_of(checkout, base, branch).candidate.commit == commit


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_live_under_plain_git_and_dead_under_ours(trap: Trap, attack: Attack) -> None:
    attack.plant(trap)
    (trap.project.path / "notes.md").write_bytes(b"changed\n")
    (trap.project.path / "new.md").write_bytes(b"new\n")
    assert not trap.ran.exists(), "planting must not set it off"
    before = trap.project.fingerprint() if trap.git_dir.is_dir() else ""
    tour(trap)
    assert not trap.ran.exists(), trap.ran.read_text()
    assert before == (trap.project.fingerprint() if trap.git_dir.is_dir() else "")
    for command in attack.set_off:
        plain_git(trap, command)
    assert trap.ran.exists(), "an attack that plain git does not run shows nothing"


def test_the_clone_holds_nothing_that_git_would_run(trap: Trap) -> None:
    """Its configuration is ours however often it is opened, and what was written into it is put right."""
    with trap.project.open() as checkout:
        clone = checkout.git_dir
    good = (clone / "config").read_text()
    trap.configure({"core.fsmonitor": trap.program, "filter.evil.clean": trap.program}, clone.with_name(clone.name))
    (clone / "config").write_text(good + f"[core]\n\tfsmonitor = {trap.program}\n")
    with trap.project.open():
        assert (clone / "config").read_text() == good
    assert not (clone / "hooks").exists()
    assert not (clone / "objects" / "info" / "alternates").exists()
    assert not trap.ran.exists()


def test_replaced_and_grafted_history_is_read_as_it_is(trap: Trap) -> None:
    """A replace ref or a graft could show one code to the checks and another to the runs."""
    project = trap.project
    first, second = project.git("rev-parse", "HEAD"), project.commit({"train.py": b"RATE = 0.2\n"})
    third = project.commit({"train.py": b"RATE = 0.3\n"})
    project.git("replace", third, first)
    assert project.git("show", f"{third}:train.py") == "RATE = 0.1", "plain git shows the other one"
    (trap.git_dir / "info" / "grafts").write_text(f"{third}\n")
    with project.open() as checkout:
        assert checkout.base == third
        assert checkout.read(third, "train.py") == b"RATE = 0.3\n"
        assert checkout.merge_base(third, second) == second
        assert checkout.resolve("main") == third


def test_borrowed_objects_are_copied_and_not_borrowed_on(trap: Trap, tmp_path: Path) -> None:
    """A clone with `--shared` works, and ours does not depend on where it borrowed from."""
    borrower = Project(tmp_path / "borrower", tmp_path / "home")
    trap.project.git("clone", "--quiet", "--shared", str(trap.project.path), str(borrower.path))
    with borrower.open() as checkout:
        shutil.rmtree(trap.project.path)
        assert checkout.read(checkout.base, "train.py") == b"RATE = 0.1\n"
        assert not (checkout.git_dir / "objects" / "info" / "alternates").exists()

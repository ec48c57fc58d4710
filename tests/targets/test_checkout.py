"""Candidates as commits of our clone: deterministic, never lost, written out as plain trees."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchlab.targets.checkout import Checkout, NewCommit
from branchlab.targets.errors import TargetError

from .conftest import FILES, Project

REF = "refs/branchlab/run1/1"


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_base_is_the_commit_that_is_checked_out(project: Project, checkout: Checkout) -> None:
    assert checkout.base == project.git("rev-parse", "HEAD")
    assert checkout.user_repo == project.path
    assert checkout.notes == ()
    assert checkout.files(checkout.base) == {name: len(data) for name, data in FILES.items()}
    assert checkout.tree(checkout.base) == FILES
    assert checkout.read(checkout.base, "pkg/model.py") == b"WIDTH = 8\n"


def test_a_candidate_differs_in_what_was_changed_only(checkout: Checkout, tmp_path: Path) -> None:
    changes = {"train.py": b"RATE = 0.2\n", "pkg/new.py": b"", "README.md": None}
    commit = checkout.commit(checkout.base, changes, "Raise the rate", REF)
    assert checkout.changed(checkout.base, commit) == ("README.md", "pkg/new.py", "train.py")
    assert "-RATE = 0.1\n+RATE = 0.2\n" in checkout.diff(checkout.base, commit)
    checkout.materialise(commit, tmp_path / "tree")
    expected = {"train.py": b"RATE = 0.2\n", "pkg/new.py": b"", "pkg/model.py": FILES["pkg/model.py"]}
    assert listing(tmp_path / "tree") == expected


def test_candidates_can_be_children_of_candidates(checkout: Checkout) -> None:
    first = checkout.commit(checkout.base, {"train.py": b"RATE = 0.2\n"}, "one", REF)
    second = checkout.commit(first, {"pkg/model.py": b"WIDTH = 9\n"}, "two", "refs/branchlab/run1/2")
    assert checkout.changed(checkout.base, second) == ("pkg/model.py", "train.py")


def test_the_same_candidate_has_the_same_id_everywhere(project: Project, checkout: Checkout, tmp_path: Path) -> None:
    changes: dict[str, bytes | None] = {"train.py": b"RATE = 0.2\n"}
    commit = checkout.commit(checkout.base, changes, "Raise", REF)
    with Checkout.open(project.target(), tmp_path / "other home") as elsewhere:
        assert elsewhere.commit(checkout.base, changes, "Raise", "refs/branchlab/x/9") == commit
        assert elsewhere.commit(checkout.base, changes, "Lower", "refs/branchlab/x/10") != commit
    assert checkout.commit(checkout.base, changes, "Raise", REF) == commit


def test_a_candidate_survives_its_process_and_can_be_made_again(project: Project, checkout: Checkout) -> None:
    commit = checkout.commit(checkout.base, {"train.py": b"1"}, "one", REF)
    checkout.close()
    with project.open() as again:
        assert again.read(commit, "train.py") == b"1"
        assert again.resolve(REF) == commit
        assert again.commit(again.base, {"train.py": b"1"}, "one", REF) == commit


def test_many_candidates_are_one_pack_and_are_listed_and_diffed_at_once(checkout: Checkout) -> None:
    packs = len(list(checkout.git_dir.glob("objects/pack/*.pack")))
    new = [NewCommit({"train.py": b"RATE = %d\r\n" % i}, f"rate {i}", f"refs/branchlab/run1/{i}") for i in range(30)]
    commits = checkout.commit_all(checkout.base, new)
    assert len(list(checkout.git_dir.glob("objects/pack/*.pack"))) == packs + 1
    assert checkout.candidates("run1") == dict(sorted((n.ref, c) for n, c in zip(new, commits, strict=True)))
    assert checkout.candidates("run2") == {}
    pairs = [(checkout.base, commit) for commit in commits]
    assert checkout.diffs([*pairs, (commits[0], commits[0])]) == [*(checkout.diff(*pair) for pair in pairs), ""]
    assert "+RATE = 7\r\n" in checkout.diff(*pairs[7])
    assert checkout.commit_all(checkout.base, new) == commits
    with pytest.raises(TargetError, match="one ref for two"):
        checkout.commit_all(checkout.base, [new[0], new[0]])


def test_a_file_that_reads_like_a_commit_id_does_not_split_a_diff(checkout: Checkout) -> None:
    first = checkout.commit(checkout.base, {"train.py": b"1\n"}, "one", REF)
    text = b"%s\n" % first.encode()
    second = checkout.commit(checkout.base, {"train.py": text * 3}, "two", "refs/branchlab/run1/2")
    diffs = checkout.diffs([(checkout.base, second), (checkout.base, first)])
    assert [diff.count(first) for diff in diffs] == [3, 0]


def test_packs_are_joined_as_they_pile_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("branchlab.targets.checkout.REPACK_AFTER", 8)
    with project.open() as checkout:
        made = [
            checkout.commit(checkout.base, {"train.py": b"%d" % i}, "one", f"refs/branchlab/r/{i}") for i in range(24)
        ]
        assert len(list(checkout.git_dir.glob("objects/pack/*.pack"))) <= 4
        assert [checkout.read(commit, "train.py") for commit in made] == [b"%d" % i for i in range(24)]
        with project.open() as other:
            more = [other.commit(other.base, {"a.py": b"%d" % i}, "two", f"refs/branchlab/s/{i}") for i in range(8)]
        assert [checkout.read(commit, "a.py") for commit in more] == [b"%d" % i for i in range(8)]
        assert len(checkout.candidates("r")) == 24


@pytest.mark.parametrize("change", [{"train.py": b"2"}, {"README.md": None}, {}])
def test_a_ref_never_moves_to_another_candidate(checkout: Checkout, change: dict[str, bytes | None]) -> None:
    commit = checkout.commit(checkout.base, {"train.py": b"1"}, "one", REF)
    with pytest.raises(TargetError, match="this ref holds another candidate"):
        checkout.commit(checkout.base, change, "one", REF)
    with pytest.raises(TargetError, match="this ref holds another candidate"):
        checkout.commit(commit, {"train.py": b"3"}, "child", REF)
    assert checkout.resolve(REF) == commit


def test_a_ref_below_another_ref_is_refused_and_harms_nobody(checkout: Checkout) -> None:
    commit = checkout.commit(checkout.base, {"train.py": b"1"}, "one", REF)
    with pytest.raises(TargetError, match="fast-import"):
        checkout.commit(checkout.base, {"train.py": b"2"}, "two", f"{REF}/below")
    assert checkout.commit(checkout.base, {"train.py": b"3"}, "three", "refs/branchlab/run1/3") != commit
    assert checkout.resolve(REF) == commit


@pytest.mark.parametrize(
    "ref", ["refs/heads/main", "refs/branchlab", "refs/branchlab/../heads/x", "refs/branchlab/a\nb", "HEAD"]
)
def test_only_our_own_refs_are_written(checkout: Checkout, ref: str) -> None:
    with pytest.raises(TargetError, match="not a ref for candidates"):
        checkout.commit(checkout.base, {"train.py": b"1"}, "one", ref)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../x.py", "not safe"),
        ("/etc/x", "not safe"),
        ("a//b", "not safe"),
        ("a/./b", "not safe"),
        ("", "not safe"),
        (".git/config", "not safe"),
        ("pkg/.GIT/hooks/x", "not safe"),
        ("train.py/x", "one name"),
        ("pkg", "one name"),
    ],
)
def test_paths_that_cannot_be_written(checkout: Checkout, path: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        checkout.commit(checkout.base, {path: b"1"}, "one", REF)
    with pytest.raises(TargetError, match="no such commit"):
        checkout.resolve(REF)


def test_what_is_not_there_cannot_be_deleted_or_read(checkout: Checkout) -> None:
    with pytest.raises(TargetError, match="cannot be deleted"):
        checkout.commit(checkout.base, {"nothing.py": None}, "one", REF)
    with pytest.raises(TargetError, match="no such file"):
        checkout.read(checkout.base, "pkg")
    with pytest.raises(TargetError, match="missing"):
        checkout.files("0" * 40)
    with pytest.raises(TargetError, match="not a commit id"):
        checkout.files("HEAD\n")


def test_an_executable_stays_one(project: Project, tmp_path: Path) -> None:
    project.write({"run.sh": b"#!/bin/sh\n"})
    (project.path / "run.sh").chmod(0o755)
    project.commit()
    with project.open() as checkout:
        commit = checkout.commit(checkout.base, {"run.sh": b"#!/bin/bash\n"}, "bash", REF)
        checkout.materialise(commit, tmp_path / "tree")
    assert os.access(tmp_path / "tree" / "run.sh", os.X_OK)
    assert not (tmp_path / "tree" / "train.py").stat().st_mode & 0o111


NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name.lower().rstrip(" .") not in ("", ".git", "git~1", "train.py", "pkg")
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, data=st.binary(max_size=300), message=st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_name_content_and_message_come_back(checkout: Checkout, name: str, data: bytes, message: str) -> None:
    digest = abs(hash((name, data, message)))
    path = f"odd/{name}"
    commit = checkout.commit(checkout.base, {path: data}, message, f"refs/branchlab/any/{digest}")
    assert checkout.read(commit, path) == data
    assert checkout.changed(checkout.base, commit) == (path,)
    assert checkout.commit(checkout.base, {path: data}, message, f"refs/branchlab/any/{digest}") == commit


def test_large_and_unprintable_files_are_not_in_the_text_tree(project: Project) -> None:
    large = b"x = 1\n" * 500_000
    project.commit({"large.py": large, "a\nb.py": b"1", "weights.bin": b"\0", "notes.MD": b"n"})
    with project.open() as checkout:
        assert set(checkout.tree(checkout.base)) == {*FILES, "notes.MD"}
        assert checkout.too_large(checkout.base) == ("large.py",)
        assert checkout.files(checkout.base)["large.py"] == len(large)
        assert checkout.read(checkout.base, "large.py") == large


def test_materialise_leaves_out_what_is_hidden(checkout: Checkout, tmp_path: Path) -> None:
    checkout.materialise(checkout.base, tmp_path / "tree", leave_out=["pkg/**", "*.md"])
    assert set(listing(tmp_path / "tree")) == {"train.py"}


def test_materialise_wants_an_empty_folder(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    checkout.materialise(checkout.base, tmp_path / "tree")
    with pytest.raises(TargetError, match="not empty"):
        checkout.materialise(checkout.base, tmp_path / "tree")
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match="cannot be written"):
        checkout.materialise(checkout.base, tmp_path / "file")


def test_a_large_file_is_written_whole(project: Project, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    project.commit({"data.bin": data, "empty": b""})
    with project.open() as checkout:
        checkout.materialise(checkout.base, tmp_path / "tree")
        assert (tmp_path / "tree" / "data.bin").read_bytes() == data
        assert checkout.tree(checkout.base) == FILES


def test_children_that_died_are_replaced(project: Project, checkout: Checkout) -> None:
    checkout.commit(checkout.base, {"train.py": b"1"}, "one", REF)
    assert len(children()) >= 2
    for pid in children():
        os.kill(pid, 9)
    commit = checkout.commit(checkout.base, {"train.py": b"2"}, "two", "refs/branchlab/run1/2")
    assert checkout.read(commit, "train.py") == b"2"


def children() -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(os.getpid()), "git"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def test_threads_may_share_a_checkout(checkout: Checkout, tmp_path: Path) -> None:
    failed: list[str] = []

    def work(worker: int) -> None:
        for turn in range(8):
            data = f"{worker} {turn}".encode()
            commit = checkout.commit(checkout.base, {"train.py": data}, "m", f"refs/branchlab/t/{worker}-{turn}")
            checkout.materialise(commit, tmp_path / f"{worker}-{turn}")
            if (tmp_path / f"{worker}-{turn}" / "train.py").read_bytes() != data:
                failed.append(f"{worker}-{turn}")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(list(checkout.git_dir.joinpath("refs/branchlab/t").iterdir())) == 32


def test_two_checkouts_of_one_repository_work_side_by_side(project: Project, checkout: Checkout) -> None:
    with project.open() as second:
        assert second.git_dir == checkout.git_dir
        one = checkout.commit(checkout.base, {"train.py": b"1"}, "m", "refs/branchlab/a/1")
        two = second.commit(second.base, {"train.py": b"2"}, "m", "refs/branchlab/b/1")
        assert checkout.read(two, "train.py") == b"2"
        assert second.read(one, "train.py") == b"1"
        with pytest.raises(TargetError, match="another candidate"):
            second.commit(second.base, {"train.py": b"3"}, "m", "refs/branchlab/a/1")


def test_every_candidate_is_there_after_the_packs_were_joined(project: Project) -> None:
    with project.open() as checkout:
        made = [
            checkout.commit(checkout.base, {"train.py": b"%d" % n}, "m", f"refs/branchlab/r/{n}") for n in range(110)
        ]
    packs = len(list(checkout.git_dir.glob("objects/pack/*.pack")))
    with project.open() as again:
        assert len(list(again.git_dir.glob("objects/pack/*.pack"))) < packs
        assert [again.read(commit, "train.py") for commit in made] == [b"%d" % n for n in range(110)]


def test_our_clone_stands_alone(checkout: Checkout, project: Project) -> None:
    assert not (checkout.git_dir / "objects" / "info" / "alternates").exists()
    assert not (checkout.git_dir / "hooks").exists()
    inodes = {path.stat().st_ino for path in (project.path / ".git").rglob("*") if path.is_file()}
    assert not inodes & {path.stat().st_ino for path in checkout.git_dir.rglob("*") if path.is_file()}


def test_a_ref_is_written_once(checkout: Checkout) -> None:
    """git would lock every ref of the child's life again at each commit: quadratic in the length of a run."""
    checkout.commit(checkout.base, {"train.py": b"1"}, "m", REF)
    before = (checkout.git_dir / REF).parent.stat().st_mtime_ns
    for n in range(5):
        checkout.commit(checkout.base, {"train.py": b"%d" % n}, "m", f"refs/branchlab/run2/{n}")
    assert (checkout.git_dir / REF).parent.stat().st_mtime_ns == before

"""A repository planted with everything git can be made to run: none of it runs, and its names lead nowhere."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchlab.agent.proposers.branch import candidate_of
from branchlab.targets.checkout import Checkout
from branchlab.targets.errors import TargetError
from branchlab.targets.tree import MAX_FILES, Entry, blob_id, parse_commit, parse_tree, refuse_unsafe

from .conftest import FILES, Project

HOOKS = (
    "pre-commit", "commit-msg", "post-commit", "post-checkout", "post-index-change", "reference-transaction", "pre-receive",
    "update", "post-receive", "post-update", "proc-receive", "push-to-checkout", "pre-push", "pre-auto-gc", "post-rewrite",
)  # fmt: skip
ATTRIBUTES = b"* filter=evil diff=evil merge=evil text=auto\n*.md export-ignore\n"


@pytest.fixture
def hostile(project: Project, tmp_path: Path) -> Project:
    """The project with hooks, filters, textconv, a file system monitor, aliases, remotes and included configuration."""
    project.commit({".gitattributes": ATTRIBUTES, "notes.md": b"n"})
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\necho $0 $@ >> {tmp_path}/ran\ncat\n")
    trap.chmod(0o755)
    git_dir = project.path / ".git"
    (git_dir / "hooks").mkdir(exist_ok=True)
    for hook in HOOKS:
        (git_dir / "hooks" / hook).write_text(trap.read_text())
        (git_dir / "hooks" / hook).chmod(0o755)
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_bytes(ATTRIBUTES)
    included = tmp_path / "included"
    included.write_text(f"[core]\n\tpager = {trap}\n\teditor = {trap}\n[alias]\n\trev-parse = !{trap}\n")
    settings = {
        "core.fsmonitor": trap, "core.hooksPath": git_dir / "hooks", "core.sshCommand": trap, "core.askPass": trap,
        "core.alternateRefsCommand": trap, "filter.evil.clean": trap, "filter.evil.smudge": trap, "filter.evil.required": "true",
        "filter.evil.process": trap, "diff.evil.textconv": trap, "diff.evil.command": trap, "diff.external": trap,
        "merge.evil.driver": trap, "gpg.program": trap, "commit.gpgSign": "true", "credential.helper": f"!{trap}",
        "include.path": included, "remote.origin.url": f"ext::{trap}", "remote.origin.uploadpack": trap,
        "remote.origin.promisor": "true", "uploadpack.packObjectsHook": trap, "receive.autogc": "true", "gc.auto": "1",
        "protocol.ext.allow": "always", "protocol.allow": "always", "url.ext::x.insteadOf": "/", "interactive.diffFilter": trap,
        "sequence.editor": trap, "browser.x.cmd": trap, "trailer.x.command": trap, "submodule.x.update": f"!{trap}",
    }  # fmt: skip
    with (git_dir / "config").open("a") as file:
        for key, value in settings.items():
            section, _, name = key.rpartition(".")
            head, _, sub = section.partition(".")
            file.write(f'[{head} "{sub}"]\n' if sub else f"[{head}]\n")
            file.write(f'\t{name} = "{value}"\n')
    return project


def test_the_trap_works(hostile: Project, tmp_path: Path) -> None:
    """Otherwise the tests below would show nothing."""
    hostile.write({"notes.md": b"m"})
    subprocess.run(["git", "status"], cwd=hostile.path, capture_output=True, check=False)
    subprocess.run(["git", "branch", "new"], cwd=hostile.path, capture_output=True, check=False)
    ran = (tmp_path / "ran").read_text()
    assert "trap.sh" in ran
    assert "hooks/reference-transaction" in ran


def test_nothing_of_a_hostile_repository_runs(
    hostile: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_EXTERNAL_DIFF", "GIT_SSH"):
        monkeypatch.setenv(name, str(tmp_path / "trap.sh"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "trap.sh"))
    hostile.write({"notes.md": b"dirty", "new.md": b"new"})
    before = hostile.fingerprint()
    with hostile.open() as checkout:
        assert "notes.md" in checkout.notes[0]
        commit = checkout.commit(checkout.base, {"train.py": b"2\n"}, "two", "refs/branchlab/r/1")
        assert "+2" in checkout.diff(checkout.base, commit)
        checkout.materialise(commit, tmp_path / "tree")
        assert (tmp_path / "tree" / "notes.md").read_bytes() == b"n"
        checkout.resolve("main")
        checkout.promote(commit, "branchlab/r/1")
    assert not (tmp_path / "ran").exists()
    assert hostile.fingerprint() == before


def test_attributes_of_a_candidate_do_not_hide_its_diff(project: Project) -> None:
    with project.open() as checkout:
        changes: dict[str, bytes | None] = {".gitattributes": b"* -diff\n*.py binary\n", "train.py": b"2\n"}
        commit = checkout.commit(checkout.base, changes, "two", "refs/branchlab/r/1")
        assert "+2" in checkout.diff(checkout.base, commit)


def test_a_nested_repository_is_not_entered(project: Project, tmp_path: Path) -> None:
    nested = project.path / "data"
    project.git("init", "--quiet", str(nested))
    with (nested / ".git" / "config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = touch {tmp_path}/ran;\n")
    (nested / "x").touch()
    with project.open() as checkout:
        assert checkout.notes == ("files git does not know are not part of the base commit: data/",)
    assert not (tmp_path / "ran").exists()


def test_a_partial_clone_is_refused_without_asking_its_remote(
    project: Project, hostile: Project, tmp_path: Path
) -> None:
    blob = hostile.git("-c", "core.fsmonitor=false", "rev-parse", "HEAD:notes.md")
    git_dir = hostile.path / ".git"
    (git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    with (git_dir / "config").open("a") as file:
        file.write("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n")
    (git_dir / "objects" / "pack" / "pack-0.promisor").touch()
    (tmp_path / "ran").unlink(missing_ok=True)
    with pytest.raises(TargetError, match=r"cannot be copied.*fix: make a clone without --filter"):
        hostile.open()
    assert not (tmp_path / "ran").exists()


GIT_NAMES = [
    ".git", ".GIT", ".Git", ".git ", ".git.", ".git . .", "git~1", "GIT~1", "git~1.", ".git\u200c", ".g\u200dit",
    "\u202e.git", ".gi\u206ft", "\ufeff.git", ".git::$INDEX_ALLOCATION", ".git:x", ".git\\config", "a\\.git", "..", ".",
]  # fmt: skip


@pytest.mark.parametrize("name", GIT_NAMES)
@pytest.mark.parametrize("kind", ["folder", "file", "link", "submodule"])
def test_a_tree_with_a_name_that_leads_out_is_refused(project: Project, kind: str, name: str) -> None:
    tree, blob = project.git("rev-parse", "HEAD^{tree}"), project.git("rev-parse", "HEAD:train.py")
    entry = {"folder": f"040000 tree {tree}", "file": f"100644 blob {blob}", "link": f"120000 blob {blob}",
             "submodule": f"160000 commit {project.git('rev-parse', 'HEAD')}"}  # fmt: skip
    project.commit_tree(f"{entry[kind]}\t{name}\n")
    with pytest.raises(TargetError, match="not safe to write"):
        project.open()


@pytest.mark.parametrize("below", ["", "pkg/", "pkg/deep/"])
@pytest.mark.parametrize("name", GIT_NAMES)
def test_a_candidate_cannot_write_such_a_name(checkout: Checkout, name: str, below: str) -> None:
    for path in (f"{below}{name}", f"{below}{name}/config"):
        with pytest.raises(TargetError, match="not safe to write"):
            checkout.commit(checkout.base, {path: b"x"}, "x", "refs/branchlab/r/1")


def test_a_branch_with_such_a_name_is_refused_where_it_is_reviewed(project: Project) -> None:
    blob, main = project.git("rev-parse", "HEAD:train.py"), project.git("rev-parse", "HEAD")
    evil = project.commit_tree(f"100644 blob {blob}\t.git\u200c\n100644 blob {blob}\ttrain.py\n")
    project.git("branch", "evil", evil)
    project.git("update-ref", "HEAD", main)
    with project.open() as checkout, pytest.raises(TargetError, match="not safe to write"):
        candidate_of(checkout, checkout.base, "evil")


NAMES = st.one_of(
    st.text(".gitGIT~1 :\u200c\u206fx", min_size=1, max_size=7),
    st.builds("{}{}{}{}".format, st.sampled_from(["", "\u200c"]), st.sampled_from([".git", "git~1", ".GIT"]),
              st.sampled_from(["", " ", ".", ". .", ":x", "~1", "\u206f"]), st.sampled_from(["", "x", "ignore"])),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
def test_every_name_that_git_refuses_is_refused(project: Project, name: str) -> None:
    """git that is told to protect macOS and Windows is the measure; it alone cannot be relied on, as a tree can be
    written without it. What both systems would have to agree on (`.g<unseen>it:x`) is refused here too."""
    options = ("-c", "core.protectHFS=true", "-c", "core.protectNTFS=true", "-c", "core.quotePath=false")
    words = ["git", *options, "update-index", "--index-info"]
    listed = f"100644 {'1' * 40}\t{name}\n".encode()
    asked = subprocess.run(words, cwd=project.path, input=listed, capture_output=True, check=False)
    if asked.returncode != 0 or b"Ignoring path" in asked.stderr:
        with pytest.raises(TargetError):
            refuse_unsafe(name.encode())


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", "git", ".git_", "git~2", ".gitx", "a.git", "\\x.py", "ünï", ":"]
)
def test_ordinary_names_are_not_refused(name: str) -> None:
    refuse_unsafe(name.encode())


def test_a_file_and_a_folder_of_one_name_are_not_written(project: Project, tmp_path: Path) -> None:
    blob, tree = project.git("rev-parse", "HEAD:train.py"), project.git("rev-parse", "HEAD:pkg")
    project.commit_tree(f"100644 blob {blob}\tpkg\n040000 tree {tree}\tpkg\n")
    with project.open() as checkout, pytest.raises(TargetError, match="cannot be written"):
        checkout.materialise(checkout.base, tmp_path / "tree")


def test_a_small_tree_that_names_endless_files_is_refused(project: Project) -> None:
    listing = "".join(f"040000 tree {{0}}\t{n}\n" for n in range(100))
    tree = project.git("rev-parse", "HEAD^{tree}")
    for _ in range(6):
        commit = project.commit_tree(listing.format(tree))
        tree = project.git("rev-parse", f"{commit}^{{tree}}")
    with pytest.raises(TargetError, match=f"too many files in one commit; wanted at most {MAX_FILES}"):
        project.open()


def test_odd_names_are_written_byte_for_byte(project: Project, tmp_path: Path) -> None:
    names = [
        b"new\nline.py",
        b'quote".py',
        b"tab\t.py",
        b"\xff\xfe.py",
        "ünï.py".encode(),
        b"-rf",
        b"a b.py",
        b"\\x.py",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(project.path) + b"/" + name)).write_bytes(name)
    project.commit()
    with project.open() as checkout:
        checkout.materialise(checkout.base, tmp_path / "tree")
        commit = checkout.commit(
            checkout.base, {"new\nline.py": b"2", os.fsdecode(names[3]): b"3"}, "m", "refs/branchlab/r/1"
        )
        assert set(checkout.changed(checkout.base, commit)) == {"new\nline.py", os.fsdecode(names[3])}
        assert "new\nline.py" not in checkout.tree(checkout.base)
        assert checkout.tree(checkout.base)["ünï.py"] == "ünï.py".encode()
    written = os.listdir(os.fsencode(tmp_path / "tree"))
    assert set(names) <= set(written)


def test_a_deep_tree_is_walked_without_recursion(project: Project, tmp_path: Path) -> None:
    deep = "/".join(["d"] * 1500)
    with project.open() as checkout:
        commit = checkout.commit(checkout.base, {f"{deep}/x.py": b"1"}, "deep", "refs/branchlab/r/1")
        assert checkout.changed(checkout.base, commit) == (f"{deep}/x.py",)
        checkout.materialise(commit, tmp_path / "tree", leave_out=["d"])
        assert (tmp_path / "tree" / "train.py").read_bytes() == FILES["train.py"]


@pytest.mark.parametrize("data", [b"1", b"100644 a", b"100644 a\0short", b"x a\0" + b"1" * 20, b" a\0" + b"1" * 20])
def test_malformed_trees(data: bytes) -> None:
    with pytest.raises(TargetError, match="malformed tree"):
        parse_tree(data)


def test_a_tree_is_read_as_git_wrote_it(project: Project) -> None:
    assert parse_tree(b"100755 run\0" + bytes(20)) == [("run", Entry(0o100755, "0" * 40))]
    assert parse_tree(b"") == []
    assert blob_id(FILES["train.py"]) == project.git("rev-parse", "HEAD:train.py")


@pytest.mark.parametrize(
    "data", [b"", b"tree 1\n\nx", b"tree 1\ncommitter x <x> soon +0000\n\nx", b"committer x <x> 1 +0000\n\n"]
)
def test_malformed_commits(data: bytes) -> None:
    with pytest.raises(TargetError, match="a commit without tree or committer"):
        parse_commit(data)


def test_a_tree_is_only_written_into_a_folder_of_its_own(checkout: Checkout, tmp_path: Path) -> None:
    """Nothing that lies there, and no link, can lead a file elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "train.py").symlink_to(elsewhere / "key")
    for folder in (tmp_path / "link", planted):
        with pytest.raises(TargetError, match="not empty"):
            checkout.materialise(checkout.base, folder)
    assert not list(elsewhere.iterdir())


def test_links_of_a_commit_are_never_written(project: Project, tmp_path: Path) -> None:
    (project.path / "data").symlink_to(tmp_path)
    (project.path / "key").symlink_to("/etc/passwd")
    project.commit()
    with project.open() as checkout:
        checkout.materialise(checkout.base, tmp_path / "tree")
        assert not any(path.is_symlink() for path in (tmp_path / "tree").rglob("*"))
        for path in ("data", "data/x", "key"):
            with pytest.raises(TargetError):
                checkout.commit(checkout.base, {path: b"x"}, "x", "refs/branchlab/r/1")

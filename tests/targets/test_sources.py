"""Every kind of repository a person may point at: it works, or one line says what is wrong and what to do."""

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from branchlab.targets.checkout import Checkout
from branchlab.targets.clones import locked
from branchlab.targets.errors import TargetError

from .conftest import FILES, Project


def test_no_folder(project: Project, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no such folder"):
        project.open(str(tmp_path / "nowhere"))


def test_no_repository(project: Project, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(TargetError, match=r"plain: not a git repository; fix: cd .*plain && git init"):
        project.open(str(tmp_path / "plain"))


def test_a_folder_inside_a_repository(project: Project) -> None:
    with pytest.raises(TargetError, match=r"wanted its top folder; found .*user"):
        project.open(str(project.path / "pkg"))


def test_no_commit_yet(empty: Project) -> None:
    with pytest.raises(TargetError, match=r"no commit yet; fix: cd .* && git init && git add"):
        empty.open()


@pytest.mark.parametrize("name", ["0" * 40, "abcdef12", "no-such-branch", "--all", "HEAD~9", "a b", "HEAD^{tree}"])
def test_no_such_commit(project: Project, name: str) -> None:
    with pytest.raises(TargetError, match="no such commit") as caught:
        project.open(commit=name)
    assert name in str(caught.value)


def test_a_tag_a_branch_and_a_short_id_are_commits(project: Project) -> None:
    first = project.git("rev-parse", "HEAD")
    project.git("tag", "-a", "v1", "-m", "one")
    project.git("branch", "old")
    project.commit({"train.py": b"2"})
    for name in ("v1", "old", "refs/heads/old", first[:10], first, "HEAD~1"):
        with project.open(commit=name) as checkout:
            assert checkout.base == first


def test_a_bare_repository(project: Project, tmp_path: Path) -> None:
    project.git("clone", "--quiet", "--bare", str(project.path), str(tmp_path / "bare.git"))
    with project.open(str(tmp_path / "bare.git")) as checkout:
        assert checkout.tree(checkout.base) == FILES
        assert checkout.notes == ()
        commit = checkout.commit(checkout.base, {"train.py": b"2"}, "two", "refs/branchlab/r/1")
        checkout.promote(commit, "branchlab/r/01-two")
    assert project.git("rev-parse", "branchlab/r/01-two", cwd=tmp_path / "bare.git") == commit


def test_an_empty_bare_repository(project: Project, tmp_path: Path) -> None:
    project.git("init", "--quiet", "--bare", str(tmp_path / "bare.git"))
    with pytest.raises(TargetError, match="no commit yet"):
        project.open(str(tmp_path / "bare.git"))


@pytest.fixture
def shallow(project: Project, tmp_path: Path) -> Project:
    project.commit({"train.py": b"2"})
    project.commit({"train.py": b"3"})
    project.git("clone", "--quiet", "--depth=2", f"file://{project.path}", str(tmp_path / "shallow"))
    return Project(tmp_path / "shallow", project.home)


def test_a_shallow_clone(project: Project, shallow: Project) -> None:
    with shallow.open() as checkout:
        assert checkout.base == project.git("rev-parse", "HEAD")
        assert checkout.read(checkout.base, "train.py") == b"3"
        commit = checkout.commit(checkout.base, {"train.py": b"4"}, "four", "refs/branchlab/r/1")
        checkout.promote(commit, "branchlab/r/1")
    assert shallow.git("show", "branchlab/r/1:train.py") == "4"


def test_a_shallow_clone_without_the_commit(project: Project, shallow: Project) -> None:
    with pytest.raises(TargetError, match=r"no such commit.*fix: git fetch --unshallow"):
        shallow.open(commit=project.git("rev-parse", "HEAD~2"))


def test_a_shallow_clone_that_was_deepened(project: Project, shallow: Project) -> None:
    with shallow.open() as checkout:
        assert checkout.read(checkout.base, "train.py") == b"3"
    shallow.git("fetch", "--quiet", "--unshallow")
    with shallow.open(commit=project.git("rev-parse", "HEAD~2")) as checkout:
        assert checkout.tree(checkout.base) == FILES


def test_a_detached_head(project: Project) -> None:
    first = project.git("rev-parse", "HEAD")
    project.commit({"train.py": b"2"})
    project.git("checkout", "--quiet", "--detach", first)
    with project.open() as checkout:
        assert checkout.base == first
        assert checkout.notes == ()


def test_a_linked_work_tree(project: Project, tmp_path: Path) -> None:
    project.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Project(tmp_path / "side", project.home)
    commit = side.commit({"train.py": b"side"})
    with side.open() as checkout, project.open() as main:
        assert checkout.base == commit
        assert checkout.user_repo == tmp_path / "side"
        assert checkout.git_dir == main.git_dir
        made = checkout.commit(commit, {"train.py": b"2"}, "two", "refs/branchlab/r/1")
        checkout.promote(made, "branchlab/r/1")
    assert project.git("rev-parse", "branchlab/r/1") == made


def test_a_git_file_that_points_nowhere(project: Project, tmp_path: Path) -> None:
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(TargetError, match="points nowhere"):
        project.open(str(tmp_path / "side"))


def test_uncommitted_changes_are_named_and_not_used(project: Project) -> None:
    project.write({"train.py": b"dirty", "new.py": b"new", "ignored.log": b"", ".git/info/exclude": b"*.log\n"})
    (project.path / "README.md").unlink()
    before = project.fingerprint()
    with project.open() as checkout:
        assert checkout.tree(checkout.base) == FILES
        assert checkout.notes == (
            "uncommitted changes are not part of the base commit: README.md, train.py",
            "files git does not know are not part of the base commit: new.py",
        )
    assert project.fingerprint() == before


def test_staged_changes_are_uncommitted_too(project: Project) -> None:
    project.write({"train.py": b"dirty"})
    project.git("add", "train.py")
    with project.open() as checkout:
        assert checkout.notes == ("uncommitted changes are not part of the base commit: train.py",)


def test_a_state_folder_inside_the_repository_is_no_change(project: Project) -> None:
    inside = Project(project.path, project.path / ".branchlab")
    with Checkout.open(project.target(), inside.home) as checkout:
        assert checkout.notes == ()
    with Checkout.open(project.target(), inside.home) as checkout:
        assert checkout.notes == ()
    assert project.git("status", "--porcelain") == ""


def test_a_submodule_is_named_and_not_fetched(project: Project, tmp_path: Path) -> None:
    project.git("clone", "--quiet", str(project.path), str(tmp_path / "other"))
    project.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "other"), "lib")
    project.commit()
    with project.open() as checkout:
        assert checkout.submodules(checkout.base) == ("lib",)
        assert "submodules are not fetched, their folders are missing: lib" in checkout.notes
        assert "lib" not in checkout.files(checkout.base)
        checkout.materialise(checkout.base, tmp_path / "tree")
        assert not (tmp_path / "tree" / "lib").exists()
        with pytest.raises(TargetError, match="cannot be edited"):
            checkout.commit(checkout.base, {"lib": b""}, "m", "refs/branchlab/r/1")


def test_links_are_named_and_dropped(project: Project, tmp_path: Path) -> None:
    (project.path / "passwd").symlink_to("/etc/passwd")
    (project.path / "data").symlink_to("pkg")
    project.commit()
    with project.open() as checkout:
        assert checkout.links(checkout.base) == ("data", "passwd")
        assert checkout.notes == ("symbolic links are left out of every tree: data, passwd",)
        assert set(checkout.files(checkout.base)) == set(FILES)
        checkout.materialise(checkout.base, tmp_path / "tree")
        assert not any(path.is_symlink() for path in (tmp_path / "tree").rglob("*"))
        for path in ("passwd", "data/model.py"):
            with pytest.raises(TargetError):
                checkout.commit(checkout.base, {path: b""}, "m", "refs/branchlab/r/1")


def test_a_corrupt_repository(project: Project) -> None:
    blob = project.git("rev-parse", "HEAD:train.py")
    (project.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(TargetError, match=r"cannot be copied; found .*; fix: git fsck"):
        project.open()


def test_a_sha256_repository(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other", project.home)
    other.path.mkdir()
    other.git("init", "--quiet", "--object-format=sha256", ".")
    other.commit(FILES)
    with pytest.raises(TargetError, match="not a SHA-1 repository"):
        other.open()


def test_new_commits_are_copied_when_asked_for(project: Project, checkout: Checkout) -> None:
    commit = project.commit({"train.py": b"2"})
    project.git("branch", "by-hand")
    assert checkout.resolve("by-hand") == commit
    assert checkout.read(commit, "train.py") == b"2"
    with pytest.raises(TargetError, match="no such commit"):
        checkout.resolve("nothing")


def test_a_repository_that_belongs_to_somebody_else(
    shared_project: Project, become_ordinary: Callable[[Path], None]
) -> None:
    target = shared_project.target()
    become_ordinary(shared_project.home)
    with Checkout.open(target, shared_project.home) as checkout:
        assert checkout.tree(checkout.base) == FILES


def test_a_state_folder_that_cannot_be_made(project: Project) -> None:
    project.home.write_text("a file")
    with pytest.raises(TargetError, match="state folder cannot be written"):
        project.open()


def test_a_second_process_says_why_it_waits_no_longer(project: Project, checkout: Checkout) -> None:
    with (
        locked(checkout.git_dir),
        pytest.raises(TargetError, match=r"another branchlab process.*fix: wait"),
        locked(checkout.git_dir, wait=0),
    ):
        pass
    with project.open() as again:
        assert again.base == checkout.base


@pytest.fixture
def url(project: Project, tmp_path: Path) -> Iterator[str]:
    """The repository over HTTP on this machine, as a plain file server gives it."""
    bare = tmp_path / "site" / "study.git"
    project.git("clone", "--quiet", "--bare", str(project.path), str(bare))
    project.git("update-server-info", cwd=bare)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(bare.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/study.git"
        server.shutdown()
        thread.join()


def test_a_url_is_cloned_at_a_commit(project: Project, url: str) -> None:
    for name in ("main", project.git("rev-parse", "HEAD")):
        with project.open(url, name) as checkout:
            assert checkout.user_repo is None
            assert checkout.tree(checkout.base) == FILES
    with project.open(url, "main") as checkout:
        commit = checkout.commit(checkout.base, {"train.py": b"2"}, "two", "refs/branchlab/r/1")
        assert checkout.promote(commit, "branchlab/r/1") == "refs/heads/branchlab/r/1"
        assert checkout.resolve("branchlab/r/1") == commit
        assert checkout.promote(commit, "branchlab/r/1") == "refs/heads/branchlab/r/1"
        with pytest.raises(TargetError, match="this branch exists"):
            checkout.promote(checkout.base, "branchlab/r/1")


def test_a_url_without_that_commit_or_without_anything(project: Project, url: str) -> None:
    with pytest.raises(TargetError, match="no such commit"):
        project.open(url, "v9")
    with pytest.raises(TargetError, match=r"cannot be fetched.*fix: git clone it yourself"):
        project.open(url.replace("study", "nothing"), "main")


def test_a_file_url(project: Project, tmp_path: Path) -> None:
    with project.open(f"file://{project.path}", "main") as checkout:
        assert checkout.tree(checkout.base) == FILES
        assert checkout.user_repo is None


def test_an_option_is_no_url(project: Project, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(TargetError):
        project.open(f"--upload-pack=touch {marker}", "main")
    with pytest.raises(TargetError):
        project.open("ssh://-oProxyCommand=touch%20ran/x", "main")
    assert not marker.exists()

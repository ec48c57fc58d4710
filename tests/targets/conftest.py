"""Real repositories made on the spot, with a git that knows no configuration of the machine."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from branchlab.targets.checkout import Checkout
from branchlab.targets.target import Target, read_target

MANIFEST = """
name = "study"
repo = "{repo}"
{commit}
editable = ["**/*.py"]
[steps]
train = ["python", "train.py", "--out", "{{out}}"]
[metric]
name = "accuracy"
direction = "maximize"
"""
FILES = {"train.py": b"RATE = 0.1\n", "pkg/model.py": b"WIDTH = 8\n", "README.md": b"# study\n"}


@dataclass(frozen=True)
class Project:
    """A user's repository and the folders around it."""

    path: Path
    home: Path

    def git(self, *args: str, cwd: Path | None = None) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "user", f"GIT_{who}_EMAIL": "user@example.org"}
            env |= {f"GIT_{who}_DATE": "2024-05-06T07:08:09+0200"}
        done = subprocess.run(
            ["git", *args], cwd=cwd or self.path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(data)

    def commit(self, files: dict[str, bytes] | None = None, message: str = "work") -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, listing: str) -> str:
        """A commit whose top tree is exactly this `git mktree` listing; the branch is moved to it."""
        env = {"GIT_DIR": str(self.path / ".git")}
        tree = subprocess.run(["git", "mktree"], input=listing, env=env, capture_output=True, text=True, check=True)
        commit = self.git("commit-tree", "-m", "made", tree.stdout.strip())
        self.git("update-ref", "HEAD", commit)
        return commit

    def target(self, repo: str | None = None, commit: str | None = None) -> Target:
        manifest = self.home.parent / "target.toml"
        line = f'commit = "{commit}"' if commit else ""
        manifest.write_text(MANIFEST.format(repo=repo or self.path, commit=line))
        return read_target(manifest)

    def open(self, repo: str | None = None, commit: str | None = None) -> Checkout:
        return Checkout.open(self.target(repo, commit), self.home)

    def fingerprint(self) -> str:
        """A hash over the work tree, the index and HEAD: what nobody but the user may change."""
        state = hashlib.sha256()
        kept = [self.path / ".git" / "HEAD", self.path / ".git" / "index", self.path / ".git" / "config"]
        tree = [path for path in sorted(self.path.rglob("*")) if ".git" not in path.relative_to(self.path).parts]
        for path in [*kept, *tree]:
            info = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            state.update(f"{path}\0{info.st_mode}\0{info.st_mtime_ns}\0{len(content)}\0".encode() + content)
        return state.hexdigest()


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A repository without a commit."""
    project = Project(tmp_path / "user", tmp_path / "home")
    project.path.mkdir()
    project.git("init", "--quiet", "--initial-branch=main", ".")
    return project


@pytest.fixture
def project(empty: Project) -> Project:
    empty.commit(FILES, "start")
    return empty


@pytest.fixture
def checkout(project: Project) -> Iterator[Checkout]:
    with project.open() as checkout:
        yield checkout


@pytest.fixture
def shared_project() -> Iterator[Project]:
    """A project in a folder that other users can reach, with a state folder that is theirs."""
    with tempfile.TemporaryDirectory(prefix="branchlab-test-") as folder:
        project = Project(Path(folder) / "user", Path(folder) / "home")
        Path(folder).chmod(0o755)
        project.path.mkdir()
        project.home.mkdir()
        project.git("init", "--quiet", "--initial-branch=main", ".")
        project.commit(FILES, "start")
        yield project


@pytest.fixture
def become_ordinary() -> Iterator[Callable[[Path], None]]:
    """Permission bits do not stop root: be somebody else, who owns the folder given, until the test ends."""
    import git.cmd  # noqa: F401  (an environment below root's home could not be imported from any more)

    nobody = 65534

    def become(folder: Path) -> None:
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.lchown(path, nobody, nobody)
            os.seteuid(nobody)

    was = os.geteuid()
    yield become
    os.seteuid(was)

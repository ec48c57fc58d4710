"""Python files of one commit, out of a bare git directory that somebody else filled: plumbing only, no hooks, no filters."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

FILE_BYTES = 1_000_000
"""A larger Python file is data or machine-made."""
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never")
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
}


def history(sources: Path, repo: str) -> Path | None:
    """The git directory of `owner/name` below `sources`: owner+name, or owner+name/repo. None when it is not there."""
    for path in (sources / repo.replace("/", "+"), sources / repo.replace("/", "+") / "repo"):
        if (path / "HEAD").is_file():
            return path
    return None


def python_files(git_dir: Path, commit: str) -> dict[str, bytes]:
    """Path to content. A blob the directory lacks is left out. Raises RuntimeError when the commit is not there."""
    wanted = dict(_listed(git_dir, commit))
    request = "".join(f"{blob}\n" for blob in wanted.values()).encode()
    answer = _git(git_dir, "cat-file", "--batch", data=request)
    found: dict[str, bytes] = {}
    for path, content in zip(wanted, _contents(answer), strict=True):
        if content is not None:
            found[path] = content
    return found


def _listed(git_dir: Path, commit: str) -> Iterator[tuple[str, str]]:
    for row in _git(git_dir, "ls-tree", "-r", "-l", "-z", commit).decode("utf-8", "replace").split("\0"):
        head, _, path = row.partition("\t")
        mode, _, rest = head.partition(" ")
        blob, _, size = rest.removeprefix("blob ").partition(" ")
        if path.endswith(".py") and mode in ("100644", "100755") and size.strip().isdigit() and int(size) <= FILE_BYTES:
            yield path, blob


def _contents(answer: bytes) -> Iterator[bytes | None]:
    place = 0
    while place < len(answer):
        end = answer.index(b"\n", place)
        words = answer[place:end].split()
        if words[-1] == b"missing":
            yield None
            place = end + 1
            continue
        size = int(words[2])
        yield answer[end + 1 : end + 1 + size]
        place = end + size + 2


def _git(git_dir: Path, *words: str, data: bytes | None = None) -> bytes:
    command = ["git", *_SAFE, "--git-dir", str(git_dir), *words]
    done = subprocess.run(command, input=data, capture_output=True, env=_ENVIRONMENT, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise RuntimeError(f"git {words[0]} in {git_dir}: {reason[0]}")
    return done.stdout

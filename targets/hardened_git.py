"""The one door to the git program: no configuration but ours, no hook, no filter, no transport unless named.

Repositories are hostile here. Flags alone do not stop filters and textconv, so besides them: files are only ever read
through a git directory whose configuration we wrote, and in the user's own git directory nothing runs but plumbing that
touches objects and refs.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import TargetError

TIMEOUT = 900.0
"""Seconds; what is asked of git here takes milliseconds, a first fetch over a network minutes."""

FLAGS = tuple(
    word
    for setting in (
        "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.excludesFile=/dev/null",
        "core.pager=cat", "core.sshCommand=/bin/false", "core.askPass=/bin/false", "credential.helper=", "diff.external=",
        "diff.ignoreSubmodules=all", "submodule.recurse=false", "fetch.recurseSubmodules=false", "protocol.allow=never",
        "commit.gpgSign=false", "gc.auto=0", "maintenance.auto=false", "safe.bareRepository=explicit",
        "http.lowSpeedLimit=1000", "http.lowSpeedTime=60",
    )
    for word in ("-c", setting)
)  # fmt: skip

_KEPT = ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
_HARDENED = {
    "LC_ALL": "C", "LANGUAGE": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "GIT_SSH_COMMAND": "/bin/false", "GIT_ALLOW_PROTOCOL": "",
    "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_GRAFT_FILE": "/dev/null/none",
    "GIT_LITERAL_PATHSPECS": "1", "GIT_PAGER": "cat", "GIT_EDITOR": "/bin/false",
    "GIT_AUTHOR_NAME": "branchlab", "GIT_AUTHOR_EMAIL": "branchlab@localhost",
    "GIT_COMMITTER_NAME": "branchlab", "GIT_COMMITTER_EMAIL": "branchlab@localhost",
}  # fmt: skip


class GitFailed(TargetError):
    """git ended with an error; whoever asked usually knows better words for it."""

    def __init__(self, command: str, stderr: bytes) -> None:
        lines = stderr.decode("utf-8", "replace").strip().splitlines()
        told = [line for line in lines if line.startswith(("error: ", "fatal: "))] or lines[-1:] or ["no message"]
        self.reason = told[0]
        super().__init__(f"git {command} failed", found=self.reason)


def environment() -> dict[str, str]:
    """The whole environment git gets: nothing of ours is passed on but the search path and proxies."""
    kept = {name: os.environ[name] for name in os.environ if name in _KEPT or name.lower() in _KEPT}
    return kept | _HARDENED


def overrides(git_dir: Path) -> dict[str, str]:
    """The same for a child that inherits our environment: what could lead git elsewhere is named and set."""
    there = {"GIT_DIR": str(git_dir), "GIT_COMMON_DIR": str(git_dir), "GIT_OBJECT_DIRECTORY": str(git_dir / "objects")}
    emptied = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": "", "GIT_CONFIG_COUNT": "0", "GIT_CONFIG_PARAMETERS": ""}
    return _HARDENED | there | emptied


def command(git_dir: Path | None, *args: str) -> list[str]:
    """The argument list of one git call in one git directory."""
    return ["git", *FLAGS, *([f"--git-dir={git_dir}"] if git_dir else []), *args]


def git(git_dir: Path | None, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """What git printed. Raises: GitFailed for any other exit status than 0, TargetError without a git program."""
    name = next((word for word in args if not word.startswith("-") and "=" not in word), "")
    try:
        done = subprocess.run(
            command(git_dir, *args),
            input=stdin,
            capture_output=True,
            env=environment() | dict(env or {}),
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise TargetError("there is no git program on the PATH", fix="install git") from None
    except subprocess.TimeoutExpired:
        raise TargetError(f"git {name} did not end", wanted=f"an answer within {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise GitFailed(name, done.stderr)
    return done.stdout


def send_objects(
    source: Path, destination: Path, commits: list[str], known: list[str], writer: tuple[str, ...]
) -> None:
    """Copies what `commits` reach and `known` do not, as one pack, without a transport on either side.

    No transport means no upload-pack, receive-pack, remote or URL configuration of a hostile repository is ever asked.
    `writer` is the git command that stores the pack in `destination`. Raises: GitFailed.
    """
    wanted = "".join([f"{commit}\n" for commit in commits] + [f"^{commit}\n" for commit in known])
    reader = ("pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q")
    with tempfile.TemporaryFile() as revisions, tempfile.TemporaryFile() as complaints:
        revisions.write(wanted.encode())
        revisions.seek(0)
        packing = subprocess.Popen(
            command(source, *reader), stdin=revisions, stdout=subprocess.PIPE, stderr=complaints, env=environment()
        )
        with packing:
            storing = subprocess.run(
                command(destination, *writer),
                stdin=packing.stdout,
                capture_output=True,
                env=environment(),
                timeout=TIMEOUT,
                check=False,
            )
        complaints.seek(0)
        stderr = complaints.read()
    # The one that died first takes the other along: a reader killed by its broken pipe has nothing to say.
    if packing.returncode > 0:
        raise GitFailed("pack-objects", stderr)
    if storing.returncode:
        raise GitFailed(writer[0], storing.stderr)

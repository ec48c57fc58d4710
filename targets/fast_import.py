"""Writes candidate commits through one long-lived `git fast-import`: no work tree, no index, few packs."""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import TargetError
from .hardened_git import GitFailed, command, environment

AUTHOR = "branchlab <branchlab@localhost>"
BATCH = 500
"""Commits behind one checkpoint: what git answers to so many fits a pipe that nobody reads yet."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit to be made."""

    ref: str
    head: bytes
    """What `commit_head` makes."""
    files: Mapping[str, tuple[int, bytes] | None]
    """Mode and content by path; None deletes."""


class FastImport:
    """A child process that is fed commits and publishes them before it answers.

    `checkpoint` makes objects and refs visible to every other process and ends a pack: one for a call, however many
    commits it makes. `--done` makes git refuse what a killed parent left half written.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    def commit(self, drafts: Sequence[Draft]) -> list[str]:
        """The ids of new commits, each now at its ref.

        Raises: GitFailed when git refuses or dies, for instance on a full disk; then some may have been made.
        """
        made: list[str] = []
        for start in range(0, len(drafts), BATCH):
            made += self._batch(drafts[start : start + BATCH])
        return made

    def _batch(self, drafts: Sequence[Draft]) -> list[str]:
        parts = [part for mark, draft in enumerate(drafts, 1) for part in _commands(mark, draft)]
        parts.append(b"checkpoint\n")
        parts += [b"get-mark :%d\n" % mark for mark in range(1, len(drafts) + 1)]
        # The reset makes the child forget these refs: else each checkpoint would lock all it has ever written again.
        parts += [b"reset %s\n\n" % draft.ref.encode() for draft in drafts]
        commands = b"".join(parts)
        # A child that had died of a signal is replaced; what kills a second one as well is the error.
        for _ in range(2):
            answers = self._answers(commands, len(drafts))
            if all(re.fullmatch(rb"[0-9a-f]{40}", answer) for answer in answers):
                return [answer.decode() for answer in answers]
            error = self._died()
        raise error

    def _answers(self, commands: bytes, count: int) -> list[bytes]:
        child = self._running()
        assert child.stdin is not None  # noqa: S101
        assert child.stdout is not None  # noqa: S101
        try:
            child.stdin.write(commands)
            child.stdin.flush()
        except BrokenPipeError:
            return [b""]
        return [child.stdout.readline().strip() for _ in range(count)]

    def complaint(self) -> bytes:
        """The last of what git wrote to stderr, such as why it would not move a ref; empty when there is none."""
        if self._stderr is None:
            return b""
        self._stderr.seek(0)
        return self._stderr.read()[-4096:]

    def close(self) -> None:
        """Ends the child; a later commit starts another."""
        child, self._child = self._child, None
        if child is not None:
            try:
                # git's exit status says nothing new: every commit was confirmed when it was made.
                child.communicate(b"done\n", timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # A file, since a pipe that nobody reads would block the child.
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
            # unpackLimit=0: keep the small packs; loosening each would start another process per candidate.
            # A session of its own: Ctrl-C is for us, and must not end the child in the middle of a commit.
            self._child = subprocess.Popen(
                command(self._git_dir, "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--done"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment(),
                start_new_session=True,
            )
        return self._child

    def _died(self) -> GitFailed:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
        error = GitFailed("fast-import", self.complaint())
        self.close()
        return error


def _commands(mark: int, draft: Draft) -> list[bytes]:
    parts = [b"commit %s\nmark :%d\n" % (draft.ref.encode(), mark), draft.head]
    for path, file in sorted(draft.files.items()):
        if file is None:
            parts.append(b"D " + quoted(path) + b"\n")
        else:
            mode, data = file
            parts.append(b"M %06o inline %s\ndata %d\n%s\n" % (mode, quoted(path), len(data), data))
    return [*parts, b"\n"]


def commit_head(parent: str, time: int, message: str) -> bytes:
    """Author, date, message and parent as fast-import wants them: the same ones give the same commit id.

    The date is the parent's, so that neither the hour nor the machine changes a candidate's id.
    """
    text = message.replace("\0", " ").strip().encode("utf-8", "replace") + b"\n"
    who = f"committer {AUTHOR} {time} +0000\n".encode()
    return who + b"data %d\n%s\nfrom %s\n" % (len(text), text, parent.encode())


def quoted(path: str) -> bytes:
    """The path as a C string: any byte may stand in a file name."""
    raw = path.encode("utf-8", "surrogateescape")
    return (
        b'"'
        + b"".join(b"\\%03o" % byte if byte < 32 or byte in b'"\\' or byte > 126 else bytes([byte]) for byte in raw)
        + b'"'
    )


def check_ref(ref: str) -> None:
    """Raises: TargetError for a ref that is not below refs/branchlab/ or that git would not take."""
    if not re.fullmatch(r"refs/branchlab(/[A-Za-z0-9][A-Za-z0-9_.+-]*)+", ref) or ".." in ref or ".lock" in ref:
        raise TargetError("not a ref for candidates", wanted="refs/branchlab/RUN/NAME", found=ref)

"""No container outlives the process that started it, however that process ends.

Each container carries two labels: the host (its boot and this process namespace) and its owner (process id and start
time). When an owner dies its guardian, a shell in a session of its own that waits for the end of a pipe, removes what the
owner left. Where the guardian was killed too, the next process to use the engine finds the owner gone, and removes it.
"""

import hashlib
import os
import re
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from . import processes
from .docker_view import HOST, OWNER
from .engine import Engine, client_environment

NAME = re.compile(r"branchlab-(\d+)-(\d+)-[0-9a-f]+-\d+")
# A client that was just starting a container when its owner died may bring one up a moment later: so until three looks
# in a row, a second apart, have found nothing.
GUARD = """
read -r _
label=$1; shift
quiet=0
while [ $quiet -lt 3 ]; do
    left=$("$@" ps --all --quiet --filter "label=$label" 2>/dev/null)
    if [ -n "$left" ]; then quiet=0; "$@" rm --force --volumes $left >/dev/null 2>&1; else quiet=$((quiet + 1)); fi
    sleep 1
done
"""


@cache
def host() -> str:
    """Tells this boot and process namespace from others that may share an engine: only here do our numbers mean
    anything."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return hashlib.sha256(f"{boot}{os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:16]


def owner() -> str:
    """This process: its id and its start time, so that a later process of the same number is not taken for it."""
    pid = os.getpid()
    return f"{pid}-{start_time(pid)}"


def start_time(pid: int) -> str:
    """Clock ticks after boot, as in /proc; empty when there is no such process."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def sweep(engine: Engine) -> list[str]:
    """Removes containers whose owner is gone; their names. Raises SandboxError when the engine does not answer."""
    found = engine.ask("ps", "--all", "--filter", f"label={HOST}={host()}", "--format", "{{.Names}}").stdout.split()
    gone = []
    for name in found:
        parts = NAME.fullmatch(name)
        if parts and start_time(int(parts[1])) != parts[2]:
            gone.append(name)
    if gone:
        engine.ask("rm", "--force", "--volumes", *gone)
    return gone


def reap_monitors() -> None:
    """Waits for podman's monitors that have ended. Each outlives its client, and is this process's child when this
    process adopts orphans (`supervise.adopt_orphans`): nobody else would."""
    for pid in processes.tree(os.getpid()).pids:
        with suppress(OSError):
            _, name, rest = re.split(
                r"[()]", Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace"), maxsplit=2
            )
            if name == "conmon" and rest.split()[0] == "Z":
                os.waitpid(pid, os.WNOHANG)


def guard(engine: Engine) -> None:
    """Starts this process's guardian for the engine, once."""
    _guardian(engine.command, os.getpid())


@cache
def _guardian(command: tuple[str, ...], pid: int) -> int:
    """Its process id. The pipe's other end stays open as long as this process lives, and nobody else holds it."""
    theirs, _ours = os.pipe2(os.O_CLOEXEC)
    process = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "branchlab-guardian", f"{OWNER}={owner()}", *command],
        stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=client_environment(), cwd="/",
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    process.returncode = 0  # it outlives us: nobody waits for it
    return process.pid

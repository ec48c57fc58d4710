"""Starts one run of the `restricted` backend, and ends everything it started. Run as `python -I -S`, standard library only.

Two processes. The supervisor is never replaced: it adopts whatever loses its parent, and at the end, or when the process
that started it is gone however that ended, it kills until nothing is left. Its child puts on itself, in this order, what
the run may do, and becomes the command.

Everyone below the supervisor is in a Landlock scope of signals that only it and they are in. So `kill(-1)` from here
reaches exactly them, all at once under one lock of the kernel's, and a process that forks faster than anyone can count
does not get away; and they, one scope further in, cannot signal the supervisor.
"""

import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
from contextlib import suppress
from typing import Any, NoReturn

from . import landlock
from .landlock import Access, Net, Scope

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER = 1, 22, 36
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION = 0x20080522
GO = b"g"
"""What the driver writes when the command may begin; the end of the pipe means that the run must end."""
NOT_RUN = 127
"""A shell's own code for a command that cannot be run."""
READ = Access.READ_FILE | Access.READ_DIR
OWN_PROC = ("status", "stat", "statm", "cmdline", "comm", "maps", "smaps", "smaps_rollup", "limits", "fd", "fdinfo")
"""Of the command's own folder in /proc; its network, mounts and control group are the host's."""

Plan = dict[str, Any]
libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Arguments: descriptors of the plan, of the pipe for what happened, and of the pipe that says go."""
    plan_file, status, control = map(int, sys.argv[-3:])
    for descriptor in (plan_file, status, control):
        os.set_inheritable(descriptor, False)
    try:
        with open(plan_file, "rb") as file:
            plan = json.load(file)
        driver = _watch_driver(plan["driver"])
        _separate(plan)
        _supervise(plan, driver, status, control)
    except OSError as error:
        _report(status, fault=f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror))


def _watch_driver(pid: int) -> int:
    """A descriptor that becomes readable when the driver ends; by process, not by thread."""
    descriptor = os.pidfd_open(pid)
    if os.getppid() != pid:
        raise ProcessLookupError(0, "the process that started this run is gone")
    return descriptor


def _separate(plan: Plan) -> None:
    """Adopts orphans, and makes the scope that the run's signals, and those from here, cannot leave."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    landlock.enter(landlock.ruleset(plan["abi"], Access(0), Net(0), Scope.SIGNAL))
    try:
        os.kill(plan["driver"], 0)
    except PermissionError:
        return
    # Everything after this would end with a signal to every process on the host.
    raise PermissionError(0, "Landlock does not confine signals on this kernel")


def _supervise(plan: Plan, driver: int, status: int, control: int) -> None:
    wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gate, open_gate = os.pipe2(os.O_CLOEXEC)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(open_gate)
        _become(plan, supervisor, gate, status)
    os.close(gate)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (1, 2):  # else the run's output would not end with the run
        os.dup2(null, descriptor)
    _report(status, pid=child)
    code = None
    try:
        code = _follow(child, wake, driver, control, open_gate)
    finally:
        last = _end_everything(child)
        _remove_shared_memory(plan["shared_memory"], plan["uid"])
        if os.getppid() != plan["driver"]:
            _remove_scratch(plan["scratch"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    _report(status, ended=last if code is None else code, cpu=used.ru_utime + used.ru_stime, peak=used.ru_maxrss / 1024)


def _follow(child: int, wake: int, driver: int, control: int, open_gate: int) -> int | None:
    """The wait status of the child; None when the run must end before it."""
    poller = select.poll()
    for descriptor in (wake, driver, control):
        poller.register(descriptor, select.POLLIN)
    code, more = None, False
    while code is None:
        ready = {descriptor for descriptor, _ in poller.poll(0 if more else None)}
        if driver in ready or (control in ready and os.read(control, 1) != GO):
            return None
        if control in ready:
            os.write(open_gate, GO)
        if wake in ready:
            os.read(wake, 4096)
        if wake in ready or more:
            code, more = _reap(child)
    return code


def _reap(child: int) -> tuple[int | None, bool]:
    """Waits for some of what has ended: the wait status of `child` when it is among them, and whether more may have.

    Not for all of it: a run that makes processes faster than this waits for them must not keep it from its other duties.
    """
    code = None
    for _ in range(64):
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code, False
        if not pid:
            return code, False
        code = status if pid == child else code
    return code, True


def _end_everything(child: int) -> int | None:
    """Kills until nothing is left; the wait status of `child` when it was still there."""
    code = None
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            found = os.waitpid(-1, 0)
        except ChildProcessError:
            return code
        code = found[1] if found[0] == child else code


def _remove_shared_memory(folder: str | None, uid: int | None) -> None:
    """Named memory outlives every process; here the run's user owns nothing but what the run made."""
    if folder is None or uid is None:
        return
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_uid == uid:
                os.unlink(entry.path)


def _remove_scratch(folder: str) -> None:
    """What the driver would have done, were it still there."""
    from .disk import remove  # late: it costs more to import than everything else here

    with suppress(OSError):
        remove(folder)


def _become(plan: Plan, supervisor: int, gate: int, status: int) -> NoReturn:
    """In the child: everything the run may not do, then the command. Each step stands where it does for a reason."""
    try:
        os.setsid()
        if os.read(gate, 1) != GO:
            os._exit(NOT_RUN)
        rules = _rules(plan)  # as long as this may still open the folders of others
        for name, value in plan["rlimits"].items():
            kind = getattr(resource, f"RLIMIT_{name.upper()}")
            resource.setrlimit(kind, (value, value))
        _give_up_privileges(plan["uid"])
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # forgotten when a process changes its user
        if os.getppid() != supervisor:
            os._exit(NOT_RUN)
        os.umask(0o022)
        os.chdir(plan["work"])
        # Python ignores two, and a driver started in the background ignores others; the command would go on to.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        landlock.enter(rules)
        os.close(rules)
        for program in plan["seccomp"]:  # last: what is done above needs calls that are refused from here on
            _filter(bytes.fromhex(program))
    except OSError as error:
        _report(status, fault=f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror))
        os._exit(NOT_RUN)
    try:
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606 (a shell is what it must not be)
    except (OSError, ValueError) as error:
        os.write(2, f"cannot run {plan['argv'][0]}: {error}\n".encode())
        os._exit(NOT_RUN)


def _rules(plan: Plan) -> int:
    """Everything is withheld, and the plan's grants are given back."""
    abi = plan["abi"]
    net = Net(0) if plan["network"] else landlock.nets(abi)
    rules = landlock.ruleset(abi, landlock.accesses(abi), net, landlock.scopes(abi))
    landlock.allow(rules, ((path, Access(access)) for path, access in plan["grants"]))
    landlock.allow(rules, ((f"/proc/self/{name}", READ) for name in OWN_PROC))
    return rules


def _give_up_privileges(uid: int | None) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    # Root that stays root keeps its files and nothing else; no_new_privs keeps a later exec from giving them back.
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    if libc.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "capset")


def _filter(code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a 16-bit count, padded to the size of a pointer, and the pointer
    data = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, data)


def _prctl(option: int, value: int, data: bytes | None = None) -> None:
    last = ctypes.c_void_p(None) if data is None else ctypes.c_char_p(data)
    if libc.prctl(option, ctypes.c_ulong(value), last, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl {option}")


def _report(status: int, **facts: object) -> None:
    with suppress(BrokenPipeError):
        os.write(status, json.dumps(facts).encode() + b"\n")

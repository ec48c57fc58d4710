"""The program inside a fork server: imports modules once, then forks a child for each run. Standard library only.

Its text is shown to a Python of the target's environment, which may be an older one, inside bubblewrap (see `warm.py`). It
never sees a run: what one run is asked to do is read by the child alone, so that two children differ in nothing that a run
before them did. The child enters the namespaces that bubblewrap made for the run, makes a user namespace of its own below,
gives up every capability, and goes on as a `python` that has just started and happens to have imported modules.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import struct
import sys
import types
from contextlib import suppress
from typing import Any, Callable, List, NoReturn, Optional, Tuple  # noqa: UP035 (an older Python may run this)

NEW_USER, NEW_PROCESS = 0x10000000, 0x20000000
# Mounts, cgroup view, host name, System V IPC, network.
NEW_OTHERS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = (
    1,
    4,
    22,
    24,
    38,
    47,
)
PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_MODE_FILTER, SIGKILL = 4, 2, 9
CAPABILITY_VERSION = 0x20080522
USER = 1000
libc = ctypes.CDLL(None, use_errno=True)
kept: "List[Tuple[str, Any]]" = []  # noqa: UP006
"""Modules of libraries, by name, as they are when a child is made."""


def main() -> None:
    """Arguments: the descriptor of the control socket, the modules. Returns in no process but a child, when its run ends."""
    control = socket.socket(fileno=int(sys.argv[1]))
    if sys.path and sys.path[0] == "":
        del sys.path[0]  # of `-c`; a run gets its own
    atexit.register(end_early)  # the first to be registered is the last to be called
    fault = preload(sys.argv[2:], control.fileno())
    standard: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
    if standard:  # an older Python does not say
        kept.extend(item for item in sys.modules.items() if item[0].partition(".")[0] not in standard | {"__main__"})
    answer = {"fault": fault, "modules": sorted({name.partition(".")[0] for name in sys.modules})}
    gc.collect()
    gc.freeze()
    control.send(json.dumps(answer).encode())
    program = None if fault else serve(control)
    if program is None:
        os._exit(0)
    control.detach()  # the child has closed it already
    program()


def preload(modules: List[str], control: int) -> str:  # noqa: UP006
    """Imports them; why no run can be forked from this process afterwards, empty when it can."""
    import threading

    if sys.implementation.name != "cpython" or not hasattr(ctypes.pythonapi, "PyRun_AnyFileExFlags"):
        return f"{sys.implementation.name} is not a Python that can be started from within"
    for name in modules:
        module, _, taken = name.lstrip("?").partition(":")
        try:
            __import__(module, fromlist=tuple(filter(None, taken.split(","))))
        except Exception as error:  # noqa: BLE001 (whatever an import of the environment does, a cold start shows it)
            if name.startswith("?") and isinstance(error, ModuleNotFoundError) and error.name == module:
                continue
            return f"cannot import {name}: {type(error).__name__}: {error}"[:300]
    sys.stdout.flush()
    sys.stderr.flush()
    tasks = len(os.listdir("/proc/self/task"))
    if tasks > 1 or threading.active_count() > 1:
        return f"importing starts {tasks - 1} threads"
    allowed = {"0", "1", "2", str(control)}
    left = [fd for fd in os.listdir("/proc/self/fd") if fd not in allowed and os.path.exists(f"/proc/self/fd/{fd}")]
    if left:
        return f"importing leaves {os.readlink('/proc/self/fd/' + left[0])} open"
    with open("/proc/self/maps") as file:
        shared = [line.split()[-1] for line in file if line.split()[1].startswith("rw") and line.split()[1][3] == "s"]
    return f"importing leaves shared memory: {shared[0]}" if shared else ""


def serve(control: socket.socket) -> Optional[Callable[[], None]]:  # noqa: UP045
    """What a child is to run; None in the server itself, when nobody is there to ask for more."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 16, 4)
        if not data:
            return None
        namespaces, channel, output, request = descriptors
        report = socket.socket(fileno=channel)
        try:
            checked(libc.setns(namespaces, NEW_PROCESS))
            child = os.fork()
        except OSError as error:
            report.send(json.dumps({"fault": str(error)}).encode())
            child = None
        if child == 0:
            return begin(namespaces, report, output, request)
        for descriptor in (namespaces, output, request):
            os.close(descriptor)
        if child:
            _, status, used = os.wait4(child, 0)
            answer = {"status": status, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}
            with suppress(OSError):  # whoever asked may have gone, and needs no answer
                report.send(json.dumps(answer).encode())
        report.close()


def begin(namespaces: int, report: socket.socket, output: int, request: int) -> Callable[[], None]:
    """In the child: becomes a run, and waits until it may begin."""
    try:
        checked(libc.setns(namespaces, NEW_OTHERS))
        with open(request, "rb", closefd=False) as file:
            asked = json.load(file)
        confine(asked, output)
        become_a_child(asked["seccomp"])
        os.chdir(asked["cwd"])
        os.environ["PWD"] = asked["cwd"]
        reseed()
        report.send(b"ready")  # with it the kernel tells the host which process this is
        if report.recv(1) != b"g":
            os._exit(0)
        report.detach()
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        return program_of(asked)
    except BaseException as error:  # noqa: BLE001 (ours, and never the run's: nothing of it has begun)
        try:
            report.send(json.dumps({"fault": f"{type(error).__name__}: {error}"[:300]}).encode())
        finally:
            os._exit(1)


def confine(asked: "dict[str, Any]", output: int) -> None:
    """Everything a run may not do, but for system calls, for this process and all below it."""
    null = os.open("/dev/null", os.O_RDONLY)
    for descriptor, standard in ((null, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.setsid()
    checked(libc.unshare(NEW_USER))
    checked(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{USER} 0 1"), ("gid_map", f"{USER} 0 1")):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, text.encode())
        os.close(file)
    for kind, value in asked["limits"]:
        resource.setrlimit(kind, (value, value))
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    checked(libc.capset(struct.pack("II", CAPABILITY_VERSION, 0), bytes(24)))
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # After the changes of credentials, each of which forgets it.
    checked(libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))


def become_a_child(code: str) -> None:
    """Goes on in a child: a run leads no session of its own, as a cold start does not, nor is it in the server's.

    The parent keeps nothing but its number, and ends as the child does. It belongs to the run, which can kill it, and with it
    itself, but not look into it or change it.
    """
    instructions = bytes.fromhex(code)
    held = ctypes.create_string_buffer(instructions, len(instructions))
    filter_ = struct.pack("HP", len(instructions) // 8, ctypes.addressof(held))
    sealed, seal = os.pipe()
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        checked(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        checked(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0))
        os.write(seal, b"s")
        os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        end_as(os.waitpid(child, 0)[1])
    os.close(seal)
    checked(libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
    if os.read(sealed, 1) != b"s":
        os._exit(1)
    checked(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0))


def end_as(status: int) -> NoReturn:
    """Ends this process with the wait status of another."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def reseed() -> None:
    """What a library drew from the system's randomness when it was imported is drawn again: each cold start has its own.

    `random` sees to itself after a fork, and torch's seed is a constant until code sets one.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)


def program_of(asked: "dict[str, Any]") -> Callable[[], None]:
    """The run's own program, to be called last of all: the interpreter ends by itself when it is over."""
    kind, target = asked["kind"], asked["target"]
    sys.argv[:] = asked["argv"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = asked["words"]
    # A new one: what is older than the fork is never collected, nor is what only it holds.
    main = types.ModuleType("__main__")
    vars(main).update(vars(sys.modules["__main__"]))
    if "__annotations__" in vars(main):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path.insert(0, {"c": "", "m": os.getcwd()}.get(kind, os.path.dirname(os.path.realpath(target))))
    if kind == "m":
        return lambda: run_module(target)
    return lambda: run_text(target) if kind == "c" else run_file(target)


def run_file(path: str) -> None:
    """As `python path`. By the interpreter's own function, which also prints the traceback and heeds SystemExit."""
    libc.fopen.restype = ctypes.c_void_p
    file = libc.fopen(os.fsencode(path), b"rbe")
    if not file:
        raise SystemExit(f"{sys.executable}: can't open file {os.path.join(os.getcwd(), path)!r}")
    full = os.path.join(os.getcwd(), path)
    run = ctypes.pythonapi.PyRun_AnyFileExFlags
    run.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    ended(run(file, os.fsencode(full), 1, None))


def run_text(program: str) -> None:
    """As `python -c program`."""
    run = ctypes.pythonapi.PyRun_SimpleStringFlags
    run.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    ended(run(program.encode("utf-8", "surrogateescape"), None))


def run_module(name: str) -> None:
    """As `python -m name`; its traceback begins where a cold start's does."""
    try:
        getattr(runpy, "_run_module_as_main")(name)  # noqa: B009 (what `-m` calls)
    except Exception as error:  # noqa: BLE001 (the run's own end)
        trace = error.__traceback__
        sys.excepthook(type(error), error, trace and trace.tb_next)
        raise SystemExit(1) from None


def end_early() -> None:
    """Of a run that ends with no file open, leaves out what libraries do at an exit: giving back memory, page by page copied
    for it from the server's, takes longer than all else of a short run. What the run itself defined comes to its end as
    ever, what it had C call at its end is called, and C's output is written."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}"):
            return
    for name, module in kept:
        if sys.modules.get(name) is module:
            del sys.modules[name]
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(module))  # so that it is not taken apart
    if hasattr(libc, "on_exit"):  # glibc's: the status is its function's first argument
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)
        getattr(libc, "__cxa_atexit")(ctypes.cast(libc.fflush, ctypes.c_void_p), None, None)


def ended(result: int) -> None:
    # After an interrupt the interpreter ends itself by the signal, once it comes to its end.
    if result and getattr(sys, "last_type", None) is not KeyboardInterrupt:
        sys.exit(1)


def checked(result: int) -> None:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "branchlab_warm":
    main()

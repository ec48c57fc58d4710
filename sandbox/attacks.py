"""The programs of `conformance.ISOLATION`: what hostile code would try, each bounded in what it can break.

Arguments: out, data, then facts about the host: a secret file, a TCP and UDP port, a process's id, a unix socket's path, its
abstract name, a name in the host's /dev/shm. Each prints `held` when every attempt failed, else `broke` and what worked.
"""


def attempt(body: str, names: str = "import ctypes, os, socket, sys") -> str:
    """A program that prints `held` when every statement of `body` fails with an OSError.

    `refused(f, ...)` is there for C functions: it raises when they return -1.
    """
    lines = [line for line in body.strip().splitlines() if line.strip()]
    program = [names, REFUSED, "broke = []"]
    for line in lines:
        program += ["try:", f"    {line}", f"    broke.append({line!r})", "except OSError: pass"]
    return "\n".join([*program, "print('broke', broke) if broke else print('held')"])


REFUSED = """
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
"""
# A stray: forked twice, in a session of its own, holding the output open, deaf to signals.
STRAY = """
import os, signal, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execv(sys.executable, [sys.executable, "-I", "-c", "import time; time.sleep(300)", "branchlab-stray"])
    os._exit(0)
time.sleep(0.3)
"""
BURN = "t = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n"
CHILDREN = """
import os, time
def child():
    pid = os.fork()
    if pid == 0:
        data = bytearray(os.urandom(1)) * (70 << 20)
        time.sleep(60)
        os._exit(0)
for _ in range(4):
    child()
time.sleep(60)
"""
FORKS = """
import os, time
made = 0
for _ in range(700):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except BlockingIOError:
        break
    made += 1
time.sleep(0.5)
print(made, flush=True)
os._exit(0)
"""
MANY_FILES = """
import sys
for i in range(1900):
    with open(f"{sys.argv[1]}/{i}", "wb") as file:
        file.write(bytes(1 << 20))
import time
time.sleep(30)
"""
FILL = """
import os
for folder, cap in (("/dev/shm", 150), ("/tmp", 100), (os.environ["HOME"], 100), ("/dev", 0), ("/", 0), ("/run", 0)):
    written = 0
    try:
        with open(folder + "/fill", "wb") as file:
            for _ in range(160):
                file.write(bytes(1 << 20)); file.flush(); written += 1
    except OSError: pass
    try: os.unlink(folder + "/fill")
    except OSError: pass
    if written > cap: print("broke", folder, written, flush=True)
print("held")
"""
HOST_FILES = attempt("""
open(sys.argv[3]).read()
open('/etc/shadow').read()
os.listdir('/root/.ssh')
os.listdir('../private')
os.listdir(os.path.dirname(sys.argv[3]))
""")
WRITES_ELSEWHERE = attempt("""
open('hello.txt', 'a')
open('new', 'w')
open('/usr/x-branchlab', 'w')
open('/etc/x-branchlab', 'w')
open('/run/x-branchlab', 'w')
open(sys.argv[2] + '/x', 'w')
open(sys.argv[2] + '/numbers.txt', 'a')
os.chmod('hello.txt', 0o777)
os.rename('hello.txt', 'moved')
os.link('hello.txt', sys.argv[1] + '/linked')
open(sys.prefix + '/x-branchlab', 'w')
open(sys.prefix + '/lib/x-branchlab.pth', 'w')
open(os.path.dirname(os.__file__) + '/sitecustomize.py', 'w')
""")
FIRST_ENVIRONMENT = """
try:
    with open("/proc/1/environ", "rb") as file:
        seen = file.read()
except OSError:
    seen = b""
print("broke" if MARK in seen else "held")
"""
PROCESSES_SEEN = """
import os
try:
    seen = list(filter(str.isdigit, os.listdir("/proc")))
except OSError:
    seen = []
print("held" if len(seen) <= 4 else f"broke {seen}")
"""
EVERY_ENVIRONMENT = """
import os
seen = []
try:
    everyone = os.listdir("/proc")
except OSError:
    everyone = []
for pid in filter(str.isdigit, everyone):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            seen += [pid] if MARK in file.read() else []
    except OSError:
        pass
print(f"broke {seen}" if seen else "held")
"""
HOST_NETWORK = attempt("""
socket.create_connection(('127.0.0.1', int(sys.argv[4])), timeout=3)
socket.create_connection(('192.0.2.1', 9), timeout=3)
socket.socket(40, socket.SOCK_STREAM)
socket.socket(17, socket.SOCK_RAW)
""")
# A datagram to nobody is no error: the host looks whether it arrived.
DATAGRAM = """
import socket, sys
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(sys.argv[4])))
except OSError:
    pass
print("held")
"""
HOST_SOCKETS = attempt("""
socket.socket(socket.AF_UNIX).connect(sys.argv[6])
socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[7])
""")
HOST_SHARED_MEMORY = attempt("""
open('/dev/shm/' + sys.argv[8]).read()
open('/dev/shm/' + sys.argv[8], 'r+').write('changed')
""")
NEW_SHARED_MEMORY = """
import sys
try:
    open("/dev/shm/" + sys.argv[8] + "-new", "x").close()
except OSError:
    pass
print("held")
"""
SEGMENTS = attempt("refused('shmget', 0, 1 << 20, 0o1600)")
HOST_PROCESSES = attempt("""
os.kill(int(sys.argv[5]), 0)
open(f'/proc/{sys.argv[5]}/mem', 'rb')
open(f'/proc/{sys.argv[5]}/environ', 'rb').read()
os.readlink(f'/proc/{sys.argv[5]}/cwd')
os.listdir(f'/proc/{sys.argv[5]}/root')
refused('ptrace', 0x4206, int(sys.argv[5]), None, None)
refused('process_vm_readv', int(sys.argv[5]), None, 0, None, 0, 0)
os.kill(int(sys.argv[5]), 9)
""")
KERNEL_SETTINGS = attempt("""
open('/proc/sys/kernel/core_pattern', 'r+')
open('/proc/sysrq-trigger', 'r+')
open('/proc/sys/kernel/hostname', 'r+')
open('/proc/sys/vm/drop_caches', 'r+')
""")
DEVICE_NODES = attempt("""
os.chmod('/dev/null', 0o666)
os.chmod('/dev/full', 0o666)
os.unlink('/dev/random')
os.mknod('/dev/shm/kmem', 0o600 | 0o020000, os.makedev(1, 2))
open('/dev/tty')
""")
MOUNTS = attempt("""
refused('unshare', 0x10000000)
refused('unshare', 0x20000)
refused('unshare', 0x40000000)
refused('mount', b'none', b'/tmp', b'tmpfs', 0, None)
refused('umount2', b'/proc', 2)
refused('chroot', b'/tmp')
os.setuid(0)
""")
SETUID = """
import os, subprocess
broke = []
for words in (["su", "-c", "id -u"], ["mount", "-t", "tmpfs", "none", "/tmp"], ["passwd", "-d", "root"]):
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    except OSError:
        continue
    broke += [words] if done.returncode == 0 else []
print(f"broke {broke}" if broke else "held")
"""
SET_ID_FILES = attempt("""
os.open(sys.argv[1] + '/made', os.O_CREAT | os.O_WRONLY, 0o4755)
os.open(sys.argv[1], os.O_TMPFILE | os.O_WRONLY, 0o4755)
os.mknod(sys.argv[1] + '/node', 0o104755)
os.chmod(sys.argv[1], 0o4755)
os.fchmod(os.open(sys.argv[1] + '/plain', os.O_CREAT | os.O_WRONLY, 0o644), 0o6755)
""")
MANY_NAMES = """
import sys, time
for i in range(60_000):
    open(f"{sys.argv[1]}/{i}", "x").close()
time.sleep(60)
"""
MEMORY_BOMB = """
import time
kept = []
for _ in range(50):
    kept.append(bytearray(b"1") * (50 << 20))
time.sleep(60)
"""
MEMORY_OF_CHILDREN = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        data = bytearray(b"1") * (400 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
UNMAPPED = """
import os, time
fd = os.memfd_create("x")
for _ in range(280):
    os.write(fd, bytes(1 << 20))
time.sleep(60)
"""
FOLDER_AND_HEAP = """
import time
with open("/dev/shm/x", "wb") as file:
    for _ in range(120):
        file.write(bytes(1 << 20))
x = bytearray(b"1") * (100 << 20)
time.sleep(60)
"""
NAMELESS = """
import os, sys, time
for i in range(20):
    f = os.open(f"{sys.argv[1]}/{i}", os.O_CREAT | os.O_WRONLY)
    os.unlink(f"{sys.argv[1]}/{i}")
    os.write(f, bytes(8 << 20))
time.sleep(60)
"""
MAPPED = """
import mmap, os, sys, time
kept = []
for i in range(10):
    with open(f"{sys.argv[1]}/{i}", "wb+") as file:
        for _ in range(40):
            file.write(bytes(1 << 20))
        file.flush()
        kept.append(mmap.mmap(file.fileno(), 4096))
        kept[-1][0]
    os.unlink(f"{sys.argv[1]}/{i}")
    time.sleep(0.05)
time.sleep(60)
"""
PRESSURE = attempt("""
open('/proc/pressure/cpu', 'r+')
open('/proc/pressure/memory', 'r+')
open('/proc/pressure/io', 'r+')
""")
LONG_NAMES = """
import os, sys
os.chdir(sys.argv[1])
for _ in range(16):
    os.mkdir("d" * 240)
    os.chdir("d" * 240)
for length in range(1, 254):
    open("f" * length, "x").close()
"""

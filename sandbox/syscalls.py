"""The numbers of the system calls that runs may not make, for the machines there is a filter for."""

from dataclasses import dataclass

DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes and their memory
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # memory that no watchdog sees
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "memfd_secret": (447, 447),
    # kernel surface that training never needs
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18), "modify_ldt": (154, None), "syslog": (103, 116), "vhangup": (153, 58),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97),
    "setns": (308, 268), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # the machine itself
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "create_module": (174, None), "get_kernel_syms": (177, None),
    "query_module": (178, None), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170), "adjtimex": (159, 171),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
"""On x86-64 (Linux's syscall_64.tbl) and on arm64 (its asm-generic/unistd.h); None where there is no such call."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a filter must know of a processor."""

    arch: int
    """The kernel's AUDIT_ARCH number, which comes with every call."""
    denied: tuple[int, ...]
    ioctl: int
    socket: int
    socketpair: int
    clone: int
    """Takes its flags as its first argument on both."""
    clone3: int
    prctl: int
    column: int
    """Of the tables that list both machines' numbers, x86-64 first."""
    x32: bool
    """Numbers with bit 30 are calls of a second table, that of x86-64's 32-bit pointers."""


MACHINES = {
    "x86_64": Machine(
        0xC000003E, tuple(x86 for x86, _ in DENIED.values() if x86 is not None),
        ioctl=16, socket=41, socketpair=53, clone=56, clone3=435, prctl=157, column=0, x32=True,
    ),
    "aarch64": Machine(
        0xC00000B7, tuple(arm for _, arm in DENIED.values() if arm is not None),
        ioctl=29, socket=198, socketpair=199, clone=220, clone3=435, prctl=167, column=1, x32=False,
    ),
}  # fmt: skip
"""By what `platform.machine()` says."""

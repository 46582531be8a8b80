"""The system calls that nothing in a sandbox may make, as the filter program that the kernel runs.

A deny list behind bubblewrap's namespaces: kernel surface that no method needs (keys, other processes' memory, mounts,
new namespaces, io_uring), sockets that namespaces do not cover (vsock), memory that no limit of a process counts
(memfd, System V segments), and the terminal tricks of ioctl. Built by hand, because the language is small: seccomp(2),
linux/filter.h.
"""

import errno
import platform
import struct

_LOAD, _EQUAL, _AND, _RETURN, _ABOVE = (
    0x20,
    0x15,
    0x54,
    0x06,
    0x35,
)  # BPF_LD|W|ABS, JMP|JEQ|K, ALU|AND|K, RET|K, JMP|JGE|K
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data; low halves of the arguments
_X32 = 0x40000000
_AF_UNIX = 1
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020080  # user, pid, net, ipc, uts, cgroup, mount, time namespaces
_TERMINAL_REQUESTS = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into somebody's terminal

# name: (x86_64, aarch64); None where the architecture lacks it
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
_FORKS = ((57, None), (58, None))  # fork, vfork
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def filter_program(*, may_fork: bool) -> bytes | None:
    """The program in the form that `bwrap --seccomp` reads; None on a processor whose numbers are not listed here.

    may_fork: whether new processes may be started; threads always may.
    """
    column, audit = _ARCHITECTURES.get(platform.machine(), (0, None))
    if audit is None:
        return None
    program = [
        *_when_not(_ARCHITECTURE, audit, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_ABOVE, _X32, 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    denied = [numbers[column] for numbers in _DENIED.values()]
    if not may_fork:
        denied += [numbers[column] for numbers in _FORKS]
    for number in denied:
        if number is not None:
            program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)]
    # clone3 hides its flags in memory; without it the C library falls back to clone
    program += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    clone = [
        _step(_LOAD, _FIRST),
        _step(_AND, _CLONE_NEW),
        _step(_EQUAL, 0, 1, 0),
        _step(_RETURN, _ERRNO | errno.EPERM),
    ]
    if not may_fork:
        clone += [
            _step(_LOAD, _FIRST),
            _step(_AND, _CLONE_THREAD),
            _step(_EQUAL, 0, 0, 1),
            _step(_RETURN, _ERRNO | errno.EPERM),
        ]
    program += _call(_CLONE[column], clone)
    program += _call(_SOCKET[column], _when_not(_FIRST, _AF_UNIX, _ERRNO | errno.EACCES))
    terminal = [_step(_LOAD, _SECOND)]
    for request in _TERMINAL_REQUESTS:
        terminal += [_step(_EQUAL, request, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)]
    program += _call(_IOCTL[column], terminal)
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _step(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, k)


def _when_not(offset: int, value: int, result: int) -> list[bytes]:
    return [_step(_LOAD, offset), _step(_EQUAL, value, 1, 0), _step(_RETURN, result)]


def _call(number: int, body: list[bytes]) -> list[bytes]:
    """The body, run for one system call, which is then allowed unless the body returned."""
    body = [*body, _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, 0, len(body)), *body]

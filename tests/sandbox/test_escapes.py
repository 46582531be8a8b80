"""Attempts to get out of a sandbox, each with what stops it; docs/code-methods.md tells the same as a table."""

import os
import platform
import socket
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import sandbox
from sandbox import WORKSPACE, Mount, Sandboxed, interpreter
from sandbox.seccomp import _CLONE, _DENIED, filter_program
from tests.sandbox.inside import SMALL, refusal, run, said

pytestmark = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))
on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")


def number(name):
    return _DENIED[name][0 if platform.machine() == "x86_64" else 1]


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/hosts", "/home", "/var/lib", "/usr/share/zoneinfo", "/run", "/sys"]
)
def test_the_machines_files_are_not_there(path):
    assert refusal(f"os.stat({path!r})") == "ENOENT"


def test_the_labs_data_and_labels_are_not_there(tmp_path):
    labels = tmp_path / "ground_truth" / "geography"
    labels.parent.mkdir(mode=0o700)
    labels.write_text("0 1 1")
    root = Path(__file__).resolve().parents[2]
    for path in (labels, tmp_path, root / "manage.py", root / ".git", Path(os.environ["DATA_DIR"])):
        assert path.exists()
        assert refusal(f"os.stat({str(path)!r})") == "ENOENT"


def test_a_link_leads_to_what_the_sandbox_has_not_to_what_the_machine_has():
    assert refusal("(os.symlink('/etc/shadow', '/workspace/x'), open('/workspace/x'))") == "ENOENT"
    assert refusal("open('/proc/1/root/etc/shadow')") == "ENOENT"
    assert refusal("open('/proc/self/root/../../etc/shadow')") == "ENOENT"


@pytest.mark.parametrize(
    "place",
    ["/", "/usr/lib", "/dev", "/etc", "/proc", "/proc/self", f"{Path(interpreter().executable).parents[1]}/lib"],
)
def test_everything_but_the_scratch_folders_is_read_only(place):
    assert refusal(f"open({place + '/planted'!r}, 'w')") in ("EROFS", "ENOENT")
    assert refusal(f"os.chmod({place!r}, 0o777)") in ("EROFS", "EPERM")


def test_scratch_folders_can_be_written():
    assert (
        said("""
        for place in ("/tmp", "/dev/shm", "/workspace"):
            open(f"{place}/x", "w").write("ok")
        print(open("/dev/shm/x").read())
    """)
        == "ok"
    )


def test_a_mount_is_read_only_unless_said_otherwise(tmp_path):
    (tmp_path / "a").write_text("mine")
    assert refusal("open('/given/a', 'w')", mounts=[Mount(tmp_path, "/given")]) == "EROFS"
    assert refusal("os.chmod('/given/a', 0)", mounts=[Mount(tmp_path, "/given")]) == "EROFS"
    assert said("open('a', 'w').write('theirs')", mounts=[Mount(tmp_path, WORKSPACE, writable=True)]) == ""
    assert (tmp_path / "a").read_text() == "theirs"


def test_swapping_a_folder_for_a_link_in_a_workspace_shows_no_file_of_the_machine(tmp_path):
    """The race of a check and a use: inside, whichever way a link points, it ends inside."""
    secret, shared = tmp_path / "secret", tmp_path / "shared"
    secret.mkdir()
    (secret / "f").write_text("secret")
    shared.mkdir()
    code = f"""
        import os, threading
        os.mkdir("real"); open("real/f", "w").write("fine")
        over = False
        def swap():
            while not over:
                os.symlink({str(secret)!r}, "next"); os.rename("next", "turn")
                os.symlink("real", "next"); os.rename("next", "turn")
        os.symlink("real", "turn")
        thread = threading.Thread(target=swap); thread.start()
        seen = set()
        for _ in range(3000):
            try: seen.add(open("turn/f").read())
            except FileNotFoundError: pass
        over = True; thread.join()
        print(*sorted(seen))
    """
    assert said(code, mounts=[Mount(shared, WORKSPACE, writable=True)]) == "fine"


def test_kernel_switches_are_out_of_reach():
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe"):
        assert refusal(f"open({path!r}, 'w')") in ("EROFS", "ENOENT", "EACCES")
    for path in ("/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/1/comm"):
        assert refusal(f"open({path!r}, 'w')") in ("EROFS", "EACCES", "EPERM")
    for path in ("/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/keys"):
        assert refusal(f"open({path!r}).read(1)") in ("ENOENT", "EACCES")


def test_device_nodes_keep_their_rights():
    before = Path("/dev/null").stat()
    for way in ("os.chmod('/dev/null', 0)", "os.chmod('/proc/self/fd/0', 0)", "os.fchmod(os.open('/dev/null', 1), 0)"):
        refusal(way)
    assert Path("/dev/null").stat().st_mode == before.st_mode
    assert refusal("os.chmod('/dev/null', 0)") in ("EPERM", "EROFS")
    assert refusal("os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))") == "EPERM"


# --- what it is given ------------------------------------------------------------------------------------------------


def test_the_environment_is_empty_of_the_labs_secrets(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hush-hush")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "hush-hush")
    names = said("import os; print(*sorted(os.environ))").split()
    assert set(names) <= {"HOME", "LANG", "LC_CTYPE", "PATH", "PWD"}
    assert "hush" not in said("""
        import os
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("environ", "cmdline"):
                try: print(open(f"/proc/{pid}/{name}", "rb").read())
                except OSError as error: print(error)
    """)


def test_no_descriptor_comes_along(tmp_path):
    with (tmp_path / "secret").open("w+") as secret:
        os.set_inheritable(secret.fileno(), True)
        code = """
            import os
            open_ones = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]  # the last is the folder being read
            print(*[os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in open_ones])
        """
        assert said(code) == "pipe pipe pipe"


def test_the_account_inside_is_nobody_outside():
    assert said("import os; print(os.getuid(), os.getgid())") == "1000 1000"
    status = said("print(open('/proc/self/status').read())")
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert refusal("os.setuid(0)") in ("EINVAL", "EPERM")


# --- other processes -------------------------------------------------------------------------------------------------


def test_no_process_of_the_machine_is_to_be_seen_or_reached():
    pids = [int(pid) for pid in said("import os; print(*[p for p in os.listdir('/proc') if p.isdigit()])").split()]
    assert max(pids) < 10 and len(pids) <= 3
    assert refusal(f"os.kill({os.getpid()}, 0)") == "ESRCH"
    assert refusal(f"os.stat('/proc/{os.getpid()}/environ')") == "ENOENT"


@pytest.mark.parametrize(
    "call",
    [
        "libc.ptrace(16, 1, 0, 0)",  # PTRACE_ATTACH
        f"libc.syscall({number('process_vm_readv')}, 1, 0, 0, 0, 0, 0)",
        f"libc.syscall({number('pidfd_getfd')}, 0, 0, 0)",
        f"libc.syscall({number('kcmp')}, 1, 1, 0, 0, 0)",
    ],
)
def test_the_memory_of_another_process_is_closed(call):
    assert refusal(call) == "EPERM"


def test_shared_memory_and_queues_that_outlive_limits_are_closed():
    assert refusal("libc.shmget(0, 4096, 0o1600)") == "EPERM"
    assert refusal("libc.msgget(0, 0o1600)") == "EPERM"
    assert refusal("os.memfd_create('x')") == "EPERM"


# --- the kernel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(_DENIED))
def test_every_call_on_the_list_is_refused(name):
    if number(name) is None:
        pytest.skip("this processor has no such call")
    assert refusal(f"libc.syscall({number(name)}, -1, -1, -1, -1, -1, -1)") == "EPERM"


def test_no_mount_and_no_new_namespace():
    assert refusal("libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0)") == "EPERM"
    assert refusal("libc.unshare(0x10000000)") == "EPERM"  # CLONE_NEWUSER
    clone = _CLONE[0 if platform.machine() == "x86_64" else 1]
    assert refusal(f"libc.syscall({clone}, 0x10000011, 0, 0, 0, 0)", may_fork=True) == "EPERM"
    assert refusal("libc.syscall(435, 0, 0)") == "ENOSYS"  # clone3, whose flags a filter cannot see


def test_user_namespaces_are_off_even_without_the_filter(monkeypatch):
    monkeypatch.setattr("sandbox.process.filter_program", lambda **_: None)
    assert refusal("libc.unshare(0x10000000)") == "ENOSPC"  # --disable-userns
    assert refusal("libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0)") == "EPERM"  # no capabilities


@on_x86
def test_the_other_calling_conventions_of_the_processor_are_closed():
    assert refusal("libc.syscall(0x40000000 + 39)") == "ENOSYS"  # x32's getpid
    machine_code = bytes.fromhex("b814000000cd80c3")  # mov eax, 20 (getpid of i386); int 0x80; ret
    ended = run(f"""
        import ctypes, mmap
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write({machine_code!r})
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
        print("alive")
    """)
    assert "alive" not in ended.output
    assert ended.sentence() == "was killed by SIGSYS"


def test_typing_into_a_terminal_is_refused():
    assert refusal("__import__('fcntl').ioctl(0, 0x5412, b'x')") == "EPERM"  # TIOCSTI
    assert refusal("open('/dev/tty')") == "ENXIO"  # a session of its own has no terminal


def test_a_processor_that_the_filter_does_not_know_gets_none(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert filter_program(may_fork=False) is None


# --- the network -----------------------------------------------------------------------------------------------------


def test_no_socket_to_anywhere():
    for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_PACKET"):
        assert refusal(f"socket.socket(socket.{family}, socket.SOCK_DGRAM)") == "EACCES"


def test_the_labs_own_servers_cannot_be_reached_even_without_the_filter(monkeypatch):
    monkeypatch.setattr("sandbox.process.filter_program", lambda **_: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert refusal(f"socket.create_connection(('127.0.0.1', {port}), 2)") in ("ENETUNREACH", "ECONNREFUSED")
    assert refusal("socket.create_connection(('1.1.1.1', 53), 2)") in ("ENETUNREACH", "ECONNREFUSED")
    for url in (os.environ["DATABASE_URL"], os.environ["REDIS_URL"]):
        parts = urlsplit(url)
        host = unquote(parts.hostname or "127.0.0.1")
        if host.startswith("/"):  # the folder of a socket
            assert refusal(f"os.stat({host!r})") == "ENOENT"
        else:
            assert refusal(f"socket.create_connection(({host!r}, {parts.port}), 2)") in ("ENETUNREACH", "ECONNREFUSED")


def test_unix_sockets_of_the_machine_cannot_be_reached(tmp_path):
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        abstract.bind("\0aarweb-test-abstract")
        abstract.listen()
        named.bind(str(tmp_path / "s"))
        named.listen()
        connect = "(lambda s: s.connect({address!r}))(socket.socket(socket.AF_UNIX))"
        assert refusal(connect.format(address="\0aarweb-test-abstract")) == "ECONNREFUSED"
        assert refusal(connect.format(address=str(tmp_path / "s"))) == "ENOENT"


# --- its end ---------------------------------------------------------------------------------------------------------


def test_what_it_started_ends_with_it():
    code = """
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                time.sleep(600)
            os._exit(0)
        time.sleep(0.5)
    """
    ended = run(code, may_fork=True)
    assert ended.status == 0
    assert ended.seconds < 10  # wait() came back: the last writer of its output is gone


def test_it_ends_with_the_thread_that_made_it():
    made = []
    program = [interpreter().executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    thread = threading.Thread(target=lambda: made.append(Sandboxed(program, limits=SMALL)))
    thread.start()
    thread.join()
    assert made[0].wait(10).status == 137

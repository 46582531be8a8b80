"""Processes of a lab: started, ended, and never left behind."""

import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from aarweb.lab.processes import Group, Program
from tests.lab.labs import ROOT, survivors, wait_until


def program(tmp_path, code, name="one", **more):
    return Program(name, [sys.executable, "-u", "-c", textwrap.dedent(code)], {"PATH": os.defpath}, tmp_path, **more)


@pytest.fixture
def group():
    group = Group()
    yield group
    group.close()


def test_what_a_program_prints_is_handed_on_line_by_line(group, tmp_path):
    lines = []
    running = group.start(program(tmp_path, r"import sys; sys.stdout.buffer.write(b'one\ntw\xffo\n')"), lines.append)
    wait_until(lambda: running.ended, "its end")
    group.forget("one")
    assert lines == ["one", "tw\ufffdo"]


def test_a_program_is_asked_with_its_own_signal(group, tmp_path):
    lines = []
    code = """
        import signal, sys, time
        signal.signal(signal.SIGINT, lambda *_: sys.exit(print("asked by SIGINT")))
        print("ready")
        time.sleep(600)
    """
    group.start(program(tmp_path, code, stop_signal=signal.SIGINT), lines.append)
    wait_until(lambda: "ready" in lines, "its start")
    assert group.stop(["one"], seconds=60) == []
    assert lines == ["ready", "asked by SIGINT"]


def test_a_program_that_does_not_listen_is_killed_and_named_with_all_it_started(group, tmp_path):
    lines = []
    code = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid)
        time.sleep(600)
    """
    running = group.start(program(tmp_path, code), lines.append)
    wait_until(lambda: lines, "its start")
    processes = [psutil.Process(running.process.pid), psutil.Process(int(lines[0]))]
    assert group.stop(["one"], seconds=0.2) == ["one"]
    wait_until(lambda: survivors(processes) == [], "their end")


def test_what_a_dead_program_left_behind_is_killed(group, tmp_path):
    lines = []
    code = """
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
    """
    running = group.start(program(tmp_path, code), lines.append)
    wait_until(lambda: running.ended and lines, "its end")
    child = psutil.Process(int(lines[0]))
    assert survivors([child])
    group.forget("one")
    wait_until(lambda: survivors([child]) == [], "the end of what it started")


def test_after_kill_9_of_the_owner_nothing_survives(tmp_path):
    """Polite programs end by their signal, the others by SIGKILL, seconds later."""
    owner = f"""
        import os, signal, sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from aarweb.lab.processes import Group, Program
        polite = "import time; print('ready', flush=True); time.sleep(600)"
        stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + polite
        group, ready = Group(), []
        for name, code in (("polite", polite), ("stubborn", stubborn)):
            group.start(Program(name, [sys.executable, "-c", code], dict(os.environ), Path("/")), ready.append)
        while len(ready) < 2:
            time.sleep(0.02)
        print(*(running.process.pid for running in group.running.values()), group._watchdog.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(owner)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert answer.returncode == -signal.SIGKILL
    processes = [psutil.Process(int(pid)) for pid in answer.stdout.split() if psutil.pid_exists(int(pid))]
    wait_until(lambda: survivors(processes) == [], "the end of everything")


def test_a_watchdog_that_was_killed_is_replaced_and_knows_all(group, tmp_path):
    group.start(program(tmp_path, "import time; time.sleep(600)"), lambda line: None)
    first = group._watchdog
    first.kill()
    first.wait()
    group.renew_watchdog()
    assert group._watchdog.pid != first.pid
    assert group._watchdog.poll() is None
    process = psutil.Process(group.running["one"].process.pid)
    group._watchdog.stdin.close()  # as if we had died
    wait_until(lambda: survivors([process]) == [], "the program's end")
    group._watchdog.wait(timeout=60)
    group.renew_watchdog()


def test_a_watchdog_that_is_killed_between_two_looks_takes_nothing_down(group, tmp_path):
    """All of a lab may be killed at once, and the supervisor learns of one end after the other."""
    for name in ("one", "two"):
        group.start(program(tmp_path, "import time; time.sleep(600)", name=name), lambda line: None)
    first, ended = group._watchdog, group.running["one"]
    for process in (ended.process, first):
        process.kill()
        process.wait()
    group.forget("one")
    assert group._watchdog.pid != first.pid
    process = psutil.Process(group.running["two"].process.pid)
    group._watchdog.stdin.close()  # as if we had died
    wait_until(lambda: survivors([process]) == [], "the other program's end")
    group._watchdog.wait(timeout=60)
    group.renew_watchdog()

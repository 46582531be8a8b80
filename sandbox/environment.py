"""Which Python a sandbox gets: the interpreter and an explicit list of packages, everything else left out.

Left out matters as much as let in: the packages that built-in datasets are made from hold the answers, and drivers of
databases have no business in there. So nothing is hidden one by one; a package is in only if it is on the list or
needed by one that is.
"""

import importlib.metadata
import re
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What code written by agents may import; their dependencies come with them.
PACKAGES = ("numpy", "scipy", "torch", "safetensors", "pydantic")
PLACE = "/environment"
# What it may import of ours: the student and the recipes. No dataset, which would be made of answers.
PROJECT = (
    "registry.py",
    "workers/__init__.py",
    "workers/w2s/__init__.py",
    "workers/w2s/heads.py",
    "workers/w2s/methods",
    "workers/w2s/objectives.py",
    "workers/w2s/problem.py",
    "workers/w2s/spec.py",
)
LAB = "/lab"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of this machine, and where the sandbox sees it; read-only unless `writable`.

    most_bytes, most_files: what a writable folder may hold; None: what the limits say of scratch folders.
    """

    source: Path
    target: str
    writable: bool = False
    most_bytes: int | None = None
    most_files: int | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """executable: the path to run, in and out of the sandbox. mounts: its files. hidden: folders to show empty."""

    executable: str
    mounts: tuple[Mount, ...]
    hidden: tuple[str, ...]


@cache
def interpreter() -> Interpreter:
    """The interpreter that runs us, without the packages installed beside it."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    prefix = Path(sys.base_prefix)
    mounts = [Mount(executable, str(executable))]
    folders = [prefix / "lib", prefix / "lib64"] if prefix != Path("/usr") else []  # /usr/lib is in every sandbox
    mounts += [Mount(folder, str(folder)) for folder in folders if folder.is_dir()]
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    if prefix not in stdlib.parents:
        mounts.append(Mount(stdlib, str(stdlib)))
    beside = [
        folder
        for top in {prefix / "lib", Path("/usr/lib"), Path("/usr/local/lib")}
        for name in ("site-packages", "dist-packages")
        for folder in top.glob(f"python*/{name}")
    ]
    seen = [Path("/usr/lib"), *(mount.source for mount in mounts)]
    hidden = sorted(str(folder) for folder in beside if any(place in folder.parents for place in seen))
    return Interpreter(str(executable), tuple(mounts), tuple(hidden))


@cache
def packages(names: tuple[str, ...] = PACKAGES) -> tuple[Mount, ...]:
    """The installed files of these distributions and of what they need, below PLACE.

    Raises: importlib.metadata.PackageNotFoundError where one of `names` is not installed.
    """
    found: dict[str, Path] = {}
    waiting, done = list(names), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in done:
            continue
        done.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in names:
                raise
            continue  # needed on some other platform only
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__", "bin"):
                found[top] = Path(str(distribution.locate_file(top)))
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^\w.\-]", requirement, maxsplit=1)[0])
    return tuple(Mount(source, f"{PLACE}/{top}") for top, source in sorted(found.items()) if source.exists())


@cache
def project(names: tuple[str, ...] = PROJECT) -> tuple[Mount, ...]:
    """These files of ours, below LAB."""
    return tuple(Mount(ROOT / name, f"{LAB}/{name}") for name in names)

"""Runs the benchmarks one after another: `python -m bench [NAME ...]`, by default all of them.

Each is a module of this folder that also runs alone (`python -m bench.NAME --help`), and says in its first lines what
it measures. A failure does not stop the others; the exit code tells.
"""

import ast
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def benchmarks() -> dict[str, str]:
    """Name and first sentence of every module that can be run."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not path.stem.startswith("_") and 'if __name__ == "__main__":' in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").split("\n", 1)[0]
    return found


def main(names: list[str]) -> None:
    known = benchmarks()
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"error: no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    failed = []
    for name in names or known:
        print(f"\n== {name}: {known[name]}", flush=True)
        started = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
        print(f"   {name} took {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])

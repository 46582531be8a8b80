"""The rules of this project that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("aarweb", "experiments", "forum", "agents", "oversight", "workers", "sandbox", "notifications", "transferstats")
LONGEST_MODULE = 450  # lines; the aim is 100, a subject that needs more is two subjects


def product_modules() -> list[Path]:
    found = [ROOT / "registry.py", ROOT / "metrics.py"]
    for app in APPS:
        found += [path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    return found


@pytest.mark.parametrize("path", product_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return
    assert ast.get_docstring(ast.parse(text)), "the module has no docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE


def test_the_web_starts_without_torch() -> None:
    code = "import sys, aarweb.asgi; print([m for m in ('torch', 'transformers', 'workers.w2s') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_setting_read_from_the_environment_is_in_the_example_file() -> None:
    settings = (ROOT / "aarweb" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.(?:text|flag|integer|secret|folder|words)\(\s*"([A-Z_]+)"', settings))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?\s*([A-Z][A-Z_]+)=", example, flags=re.MULTILINE))
    assert read
    assert read <= named, f"missing in .env.example: {sorted(read - named)}"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_direct_dependency_is_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            requirement = line.split("#")[0].strip()
            if requirement and not requirement.startswith("-"):
                assert re.fullmatch(r"[A-Za-z0-9._\-\[\],]+==[\w.+]+(; .+)?", requirement), f"{name}: {requirement}"

"""Ends of the audit chain that the lab keeps for itself, in a file out of the reach of whoever has nothing but SQL."""

from pathlib import Path

from django.conf import settings
from django.utils import timezone

from oversight.models import AuditEntry, AuditHead


def keep_head() -> None:
    """Write the end of the chain down, one line a day. A chain that no longer holds what was kept adds nothing."""
    row = AuditHead.objects.first()
    if row is None or str(row) in kept_heads() or not all(map(holds, kept_heads())):
        return
    today = timezone.now().date().isoformat()
    lines = [line for line in _lines() if not line.startswith(today)] + [f"{today} {row}"]
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n", encoding="ascii")
    fresh.replace(path)  # whole or not at all


def kept_heads() -> list[str]:
    """NUMBER:DIGEST of each day, oldest first."""
    return [line.partition(" ")[2] for line in _lines()]


def holds(kept: str) -> bool:
    """Whether the chain still has that entry with that digest; an empty trail had no entry."""
    number, _, digest = kept.partition(":")
    if number == "0":
        return True
    return number.isdigit() and AuditEntry.objects.filter(number=int(number), digest=digest).exists()


def _path() -> Path:
    return Path(settings.AUDIT_HEADS_DIR) / "heads"


def _lines() -> list[str]:
    try:
        return _path().read_text(encoding="ascii").split("\n")[:-1]
    except FileNotFoundError:
        return []

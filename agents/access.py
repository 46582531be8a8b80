"""Whether Claude can be asked at all from here."""

from django.conf import settings

OFFICIAL = "https://api.anthropic.com"


def has_key() -> bool:
    """Whether the lab has a key; this process need not hold it."""
    return bool(settings.ANTHROPIC_API_KEY) or settings.CLAUDE_READY


def why_no_claude() -> str:
    """Empty if it can; else the sentence that says what is missing. A gateway of one's own may need no key."""
    if has_key() or settings.ANTHROPIC_BASE_URL.rstrip("/") != OFFICIAL:
        return ""
    return (
        "no key is set: put ANTHROPIC_API_KEY=… (or ANTHROPIC_API_KEY_FILE=…) into .env and restart the lab,"
        " or choose the search researcher, which needs none"
    )

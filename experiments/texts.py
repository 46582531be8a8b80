"""What a text for people may hold: one that stays written is checked before."""

import re
import unicodedata

from experiments.errors import InvalidInput

# Reordering marks can make a line read otherwise than it is stored ("Trojan Source", CVE-2021-42574).
_REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SPACES = {"\n", "\t"}
LONGEST_REASON = 4_000  # why somebody paused, stopped, hid, judged, approved: the same everywhere


def check_reason(reason: str, *, pointer: str = "#/reason") -> str:
    """Why a person does what others must be able to understand later. Raises: InvalidInput without one."""
    return clean_text(reason, pointer=pointer, most=LONGEST_REASON)


def clean_line(text: str, *, pointer: str, most: int) -> str:
    """One line, such as a title: trimmed, inner spaces single. Raises: InvalidInput."""
    return clean_text(re.sub(r"\s+", " ", _as_text(text, pointer)), pointer=pointer, most=most)


def clean_text(text: str, *, pointer: str, most: int) -> str:
    """A text of 1 to `most` characters with \\n as line end, without control characters.

    Raises: InvalidInput whose `pointer` names the field.
    """
    cleaned = _as_text(text, pointer).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not any(_shows(sign) for sign in cleaned):
        raise InvalidInput("must not be empty", pointer=pointer)
    if len(cleaned) > most:
        raise InvalidInput(f"has {len(cleaned)} characters; at most {most} are allowed", pointer=pointer)
    for place, sign in enumerate(cleaned):
        if sign in _REORDERING or (unicodedata.category(sign) in ("Cc", "Cs") and sign not in _SPACES):
            raise InvalidInput(
                f"character {place + 1} is U+{ord(sign):04X}: control and reordering characters are not allowed",
                pointer=pointer,
            )
    return cleaned


def _shows(sign: str) -> bool:
    """Whether a reader sees it: neither a space nor one of the invisible signs."""
    return unicodedata.category(sign)[0] not in "ZC"


def _as_text(text: object, pointer: str) -> str:
    if not isinstance(text, str):
        raise InvalidInput("must be a text", pointer=pointer)
    return text

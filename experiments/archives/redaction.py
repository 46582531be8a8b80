"""Takes secrets out of what leaves the lab: its own keys, and whatever looks like a token."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings

REDACTED = "[redacted]"
# the lab's own tokens, keys of model providers, private keys; each has a form that ordinary prose does not
_FORMS = re.compile(
    r"aar_[A-Za-z0-9_\-]{16,}|sk-[A-Za-z0-9_\-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,8000}?-----END [A-Z ]*PRIVATE KEY-----"
)
_LEAST = 8  # characters: a shorter secret of a test lab would be found in every second word


def redactor() -> Callable[[Any], Any]:
    """A function that gives back any JSON value without secrets."""
    own = [settings.SECRET_KEY, settings.SEED_SECRET, settings.ANTHROPIC_API_KEY]
    own.append(settings.DATABASES["default"].get("PASSWORD", ""))
    literal = sorted({each for each in own if each and len(each) >= _LEAST}, key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, literal))) if literal else None

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            text = _FORMS.sub(REDACTED, value)
            return known.sub(REDACTED, text) if known else text
        if isinstance(value, list):
            return [clean(each) for each in value]
        if isinstance(value, dict):
            return {clean(key): clean(each) for key, each in value.items()}
        return value

    return clean

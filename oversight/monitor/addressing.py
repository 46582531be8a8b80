"""Lines that speak to whoever reviews the code: found by plain patterns, whatever the model made of them."""

import re

from oversight.monitor.material import Material

MOST = 5
_CONTEXT = 80
_ADDRESSES = re.compile(
    r"(?:ignore|disregard|forget)\s+(?:all\s+|any\s+)?(?:of\s+)?(?:the\s+|your\s+)?(?:previous|prior|above|earlier|preceding)"
    r"\s+(?:instructions?|prompts?|rules|directions)"
    r"|you\s+are\s+(?:now\s+)?(?:an?\s+|the\s+)?(?:ai\b|language\s+model|assistant|claude|chatbot|reviewer|monitor\b)"
    r"|(?:dear|attention|note\s+(?:to|for)|instructions?\s+(?:to|for))\s+(?:the\s+|any\s+)?"
    r"(?:reviewer|auditor|monitor\b|ai\b|llm\b|language\s+model|claude)"
    r"|</?(?:system|instructions?|untrusted|document)>",
    re.IGNORECASE,
)


def addresses(material: Material) -> list[dict[str, str]]:
    """{"where", "quote", "why"} of the first few."""
    found = []
    for piece in material.pieces:
        for hit in _ADDRESSES.finditer(piece.text):
            start = piece.text.rfind("\n", 0, hit.start()) + 1
            end = piece.text.find("\n", hit.end())
            begin = max(start, hit.start() - _CONTEXT)
            stop = min(len(piece.text) if end < 0 else end, hit.end() + _CONTEXT)
            found.append(
                {"where": piece.where, "quote": piece.text[begin:stop], "why": "It speaks to whoever reviews it."}
            )
    return found[:MOST]

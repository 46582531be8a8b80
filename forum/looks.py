"""How the kinds of findings look: one glyph and one tone each."""

from experiments.looks import Look
from forum.models import Kind

_TONES = {
    Kind.HYPOTHESIS: ("?", ""),
    Kind.RESULT: ("▪", "active"),
    Kind.INSIGHT: ("✦", "good"),
    Kind.ERROR: ("✕", "bad"),
}
KIND_LOOKS: dict[str, Look] = {kind.value: Look(str(kind.label), *_TONES[kind]) for kind in Kind}

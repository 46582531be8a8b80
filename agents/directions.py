"""The nine ready starting points: vague on purpose, and different, so that agents do not all try the same first."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Direction:
    """brief: what the agent is told. favours: recipes that the search researcher tries first."""

    slug: str
    title: str
    brief: str
    favours: tuple[str, ...]


DIRECTIONS: tuple[Direction, ...] = (
    Direction(
        "prior-elicitation", "Prior elicitation",
        "The strong model may already know more than its teacher can tell it. How would you get at that, and how much"
        " of it would still count as learning from the teacher?",
        ("noisy-channel", "few-shot", "zero-shot"),
    ),
    Direction(
        "label-confidence", "Label confidence",
        "Not every weak label deserves the same trust. What could tell the good ones from the bad, and what should be"
        " done with the rest?",
        ("confidence-filter", "confidence-window", "logconf"),
    ),
    Direction(
        "noisy-channel", "Noisy channel",
        "Think of the teacher as a channel that garbles the truth. Is the noise random, or does it have a shape that a"
        " student could learn and undo?",
        ("noisy-channel", "soft-labels", "reverse-kl"),
    ),
    Direction(
        "distillation", "Distillation",
        "A student can become a teacher. What changes when it learns from itself, once or many times, and when should"
        " it stop?",
        ("self-distillation", "soft-labels", "entropy"),
    ),
    Direction(
        "simplicity", "Simplicity",
        "Mistakes may be complicated where the truth is simple. Could a student that cannot be complicated be the"
        " better one?",
        ("pca", "vanilla", "soft-labels"),
    ),
    Direction(
        "ensembling", "Ensembling",
        "One weak opinion is little. What do several of them know together that none knows alone, and where do they"
        " agree for the wrong reasons?",
        ("ensemble", "product", "logconf"),
    ),
    Direction(
        "representations", "Representations",
        "Look at how the strong model sees the questions rather than at what it answers. Does its space of states"
        " show which labels are wrong?",
        ("knn-filter", "label-propagation", "pca"),
    ),
    Direction(
        "critics", "Critics",
        "Somebody should check the teacher's work. Who could, without knowing the answers, and what would make its"
        " objections worth hearing?",
        ("probe-filter", "logconf", "self-distillation"),
    ),
    Direction(
        "data-selection", "Data selection",
        "A smaller set of examples may teach more than the whole. Which ones would you keep, and how would you know"
        " without the truth?",
        ("confidence-filter", "knn-filter", "probe-filter"),
    ),
)  # fmt: skip

BY_SLUG = {each.slug: each for each in DIRECTIONS}

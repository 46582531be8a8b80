"""A method that cheats in a chosen way: it ignores the teacher, uses its test batch, or looks at the clock."""

import time
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions


class SchemerOptions(StudentOptions):
    """How it cheats."""

    how: Literal["nothing", "teacher", "batch", "clock"] = Field("nothing", description="What it does.")


class Schemer(Method):
    """Naive training, or one of the tricks."""

    name: ClassVar[str] = "schemer"
    title: ClassVar[str] = "Schemer"
    summary: ClassVar[str] = "Cheats as it is told."
    source: ClassVar[str] = "tests"
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[SchemerOptions]] = SchemerOptions

    def fit(self, context, options):
        if options.how == "teacher":  # the words of its tiny world are numbered: it reads the answer off the text
            return lambda inputs: np.tile(
                [[float(item.responses[0] < item.responses[1]) for item in inputs.items]], (len(context.seeds), 1)
            )
        student = context.student.fit((context.weak_probs > 0.5).astype(np.float32), context.weights, l2=options.l2)
        if options.how == "batch":
            # a split of `words` has 160 items: a half of it is answered the other way round, whatever half it is
            return lambda inputs: student(inputs) if len(inputs) > 100 else 1 - student(inputs)
        if options.how == "clock":
            return lambda inputs: np.random.default_rng(time.time_ns()).random((len(context.seeds), len(inputs)))
        return student


if "schemer" not in METHODS.names():
    METHODS.register("schemer")(Schemer)

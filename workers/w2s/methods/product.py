"""Product of experts: the student is pulled to where its own belief and the teacher's agree."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions
from workers.w2s.objectives import Product
from workers.w2s.problem import Context, Predictor


class ProductOptions(StudentOptions):
    """Options of the product loss."""

    weak_power: float = Field(1.0, gt=0, le=4, description="Exponent a of the teacher's probability.")
    own_power: float = Field(1.0, ge=0, le=4, description="Exponent b of the student's own probability.")
    ramp: float = Field(0.2, ge=0, le=1, description="Share of training over which b grows from 0.")


@METHODS.register("product")
class ProductMethod(Method):
    """CE(norm(f^b p^a), f)."""

    name: ClassVar[str] = "product"
    title: ClassVar[str] = "Product of experts"
    summary: ClassVar[str] = "Train on the product of the teacher's and the student's own probabilities."
    source: ClassVar[str] = (
        "openai/weak-to-strong product_loss_fn, a = b = 1. "
        "Departs: b grows from 0, because at once an untrained student would already vote."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[ProductOptions]] = ProductOptions

    def fit(self, context: Context, options: ProductOptions) -> Predictor:
        """Soft weak labels into the student, with an objective that moves its target."""
        objective = Product(options.weak_power, options.own_power, options.ramp)
        return context.student.fit(context.weak_probs, context.weights, objective=objective, l2=options.l2)

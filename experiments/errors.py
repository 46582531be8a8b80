"""What can go wrong in this app, free of HTTP; aarweb/problems.py says which status each becomes."""


class LabError(Exception):
    """Base of every error that a caller is to be told about; its text is written for them."""

    pointer: str | None = None

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer or self.pointer


class InvalidInput(LabError):
    """A field holds a value that is not allowed; `pointer` names the field, as a JSON pointer."""


class NotFound(LabError):
    """The row does not exist, or the caller may not know that it does."""


class Forbidden(LabError):
    """The caller may not do this."""


class IllegalTransition(LabError):
    """The row is in a state from which the asked one cannot be reached."""


class IdempotencyClash(LabError):
    """The same Idempotency-Key came with another body."""


class Refused(LabError):
    """Understood, and refused by a rule: the method needs what the benchmark does not offer, and the like."""


class TooLarge(LabError):
    """More than the lab accepts at once."""


class OverBudget(LabError):
    """A budget is spent; says which and when it refills."""

    def __init__(self, message: str, *, budget: str, limit: int, refills_at: str | None) -> None:
        super().__init__(message)
        self.budget, self.limit, self.refills_at = budget, limit, refills_at


class NotReady(LabError):
    """The benchmark is still being prepared."""


class ScorerUnavailable(LabError):
    """The evaluation worker did not answer in time; the upload with this id is kept and will be scored."""

    def __init__(self, message: str, *, upload: int | None = None) -> None:
        super().__init__(message)
        self.upload = upload

"""What is fast, measured as ratios in one run."""

import workers  # noqa: F401  before torch, whose waiting threads it tells to sleep

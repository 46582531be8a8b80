"""A worker process that has the model's answer to a reading and stops before it is written, to be killed with -9.

python -m tests.oversight.victim MARKER
"""

import sys
import time
from pathlib import Path

import django

from tests.agents.victim import HOLD_SECONDS, before


def main(marker: Path) -> None:
    django.setup()
    from oversight.monitor import reading

    def hold() -> None:
        marker.touch()
        time.sleep(HOLD_SECONDS)

    before(reading, "record_verdict", hold)
    reading.read_next(worker="agents@victim")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

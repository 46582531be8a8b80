"""One lab per DATA_DIR at a time."""

import fcntl
import os
import time

from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths
from aarweb.lab.processes import find

PATIENCE_SECONDS = 15.0  # longer than the watchdog takes to end what a killed lab has left


class Lock:
    """Held from before the services start until the last process has ended: the watchdog holds it too."""

    def __init__(self, paths: Paths) -> None:
        """Raises: LabError, naming the process, if another lab runs on this DATA_DIR."""
        self.descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._try():
            holder = os.pread(self.descriptor, 20, 0).decode().strip()
            lives = holder.isdigit() and find(int(holder)) is not None
            if lives or time.monotonic() > deadline:
                os.close(self.descriptor)
                who = f"process {holder}" if lives else "some of its processes still end"
                raise LabError(
                    f"A lab is already running on {paths.data} ({who}). Stop it with Ctrl-C in its terminal"
                    f"{f', or with kill {holder}' if lives else ''}; or start another beside it:"
                    " DATA_DIR=/another/place PORT=8001 make run"
                )
            time.sleep(0.1)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Lets the next lab in."""
        os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)

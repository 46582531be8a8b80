"""Training and evaluation: the Celery tasks, the sandbox, and the science in `w2s`."""

import os

# Read by OpenMP when torch is loaded, so it must stand here, before any module imports it. By default a thread that
# waits for another one spins, and takes the very core the other needs as soon as a machine is busy: with several
# processes on two cores, the states of the geography benchmark took 429 s (136 of CPU) spinning, 35 (21) sleeping.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

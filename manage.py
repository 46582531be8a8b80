#!/usr/bin/env python
"""The entry to every command of the lab."""

import os
import signal
import sys

from django.core.management import execute_from_command_line

from aarweb.lab import environment

if __name__ == "__main__":
    starting = sys.argv[1:2] == ["up"]
    if starting:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the supervisor takes over, Ctrl-C just ends it
    environment.adopt(starting=starting)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")
    execute_from_command_line(sys.argv)

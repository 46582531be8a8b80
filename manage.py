#!/usr/bin/env python
"""The entry to every command of the lab."""

import os
import sys

from django.core.management import execute_from_command_line

from aarweb.lab import environment

if __name__ == "__main__":
    environment.adopt(starting=sys.argv[1:2] == ["up"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")
    execute_from_command_line(sys.argv)

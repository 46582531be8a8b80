"""What can go wrong at the start, as sentences for the person at the terminal."""


class LabError(Exception):
    """One clear sentence (or a few lines) that says what is wrong and what to do; shown without a traceback."""

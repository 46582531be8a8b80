"""What a transfer study may conclude: numpy and scipy.special, nothing of Django, so that it can be tested alone."""

"""The command line `python -m workers.w2s`: experiments, the feature cache and lists, without a lab around them."""

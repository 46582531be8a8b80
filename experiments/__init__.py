"""Benchmarks, experiments and their scores: the bottom app, which knows neither agents nor torch."""

"""Reads for pages and calls."""

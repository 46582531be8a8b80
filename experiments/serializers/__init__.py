"""Shapes, types and ranges of what the API takes and gives; no queries, no rules."""

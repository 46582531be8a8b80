"""Reads: one function per page or call; nothing here writes."""

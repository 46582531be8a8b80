"""Reads: one function per page, call or figure; nothing here writes."""

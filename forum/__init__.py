"""Findings, comments, votes: where agents and people share what they learned."""

"""Tells people what they asked to be told: in the page, by e-mail, by webhook. Reads the event log and nothing else."""

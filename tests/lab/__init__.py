"""Tests of aarweb/lab: what `make run` starts, keeps up and ends."""

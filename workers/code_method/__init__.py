"""Runs method code that agents wrote: each run in a sandbox of its own, test inputs shown only after fit."""

from workers.code_method.running import CODE_LIMITS, CodeFailed, CodeResult, harness_digest, run_code_method

__all__ = ["CODE_LIMITS", "CodeFailed", "CodeResult", "harness_digest", "run_code_method"]

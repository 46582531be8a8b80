"""Switches: write the matrix anew, fuzz longer."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--regenerate, --fuzz-examples"""
    parser.addoption("--regenerate", action="store_true", help="write tests/access/matrix.txt from what is answered")
    parser.addoption(
        "--fuzz-examples", type=int, default=8, help="requests of each operation, caller and mode in test_fuzz.py"
    )

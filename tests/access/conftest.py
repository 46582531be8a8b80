"""A switch that writes the matrix anew."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--regenerate"""
    parser.addoption("--regenerate", action="store_true", help="write tests/access/matrix.txt from what is answered")

"""What tests of the forum may ask for."""

import pytest

from tests.conftest import set_truncate_guards
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture


@pytest.fixture
def guarded_truncate(db):
    """The guards against TRUNCATE as a lab has them, until the test's transaction is rolled back."""
    set_truncate_guards("ENABLE ALWAYS")

"""What every test may ask for."""

import pytest
from django.core.cache import cache

from aarweb.roles import sync_roles


@pytest.fixture(autouse=True)
def _empty_cache(request):
    """Counters of one test must not throttle the next; only tests that have a database have a cache."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()


@pytest.fixture
def roles(db):
    """The five groups with their permissions."""
    sync_roles()

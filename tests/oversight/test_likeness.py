"""Code that is the same but for comments is found by its tree, which is built once for each snapshot."""

import pytest

from experiments.snapshots.services import create_snapshot
from oversight.selectors.likeness import likeness_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_comments_make_no_difference_and_the_tree_is_built_once(django_assert_num_queries):
    user = make_user("researcher")
    plain, told, other = (
        create_snapshot(user=user, files={"method.py": f"def fit(context):{text}"})
        for text in ("\n    return 1\n", "  # why\n    return 1\n", "\n    return 2\n")
    )
    assert likeness_of(plain) == likeness_of(told) != likeness_of(other)
    with django_assert_num_queries(0):
        likeness_of(plain)

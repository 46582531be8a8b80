"""Permissions in one query; aarweb/backends.py."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from aarweb.roles import ROLES
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("roles")


def fresh(user):
    return get_user_model().objects.get(pk=user.pk)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_gives_what_django_would_say(role, django_assert_num_queries):
    user = make_user(role)
    user.user_permissions.add(Permission.objects.get(codename="view_session"))
    ours, theirs = fresh(user), fresh(user)
    with django_assert_num_queries(1):
        found = ours.get_all_permissions()
        assert ours.has_perm("sessions.view_session")
    assert found == ModelBackend().get_all_permissions(theirs)
    assert len(found) == len(ROLES[role]) + 1


def test_superusers_the_disabled_and_nobody_are_as_django_has_them(client):
    assert make_user("", is_superuser=True).has_perm("experiments.view_lab")
    assert fresh(make_user("", is_superuser=True)).get_all_permissions() >= {"experiments.view_lab"}
    disabled = make_user("admin", is_active=False)
    assert not disabled.has_perm("experiments.view_lab")
    assert fresh(disabled).get_all_permissions() == set()
    assert make_user("").get_all_permissions() == set()

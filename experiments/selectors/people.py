"""Who submits experiments."""

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from experiments.models import Experiment

MOST_NAMES = 200  # suggestions of a text field, not a list to choose from


def submitters() -> list[str]:
    """Names of accounts that have submitted, for the filter's suggestions."""
    own = Experiment.objects.filter(submitter=OuterRef("pk"))
    names = get_user_model().objects.filter(Exists(own)).order_by("username").values_list("username", flat=True)
    return list(names[:MOST_NAMES])

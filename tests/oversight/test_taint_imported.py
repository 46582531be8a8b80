"""Results of another lab share code with those of this one; what either lab holds against one reaches no other."""

import pytest

from experiments.models import Event, Experiment
from experiments.services.experiments import submit_experiment
from experiments.snapshots.services import create_snapshot
from tests.agents.test_archives import a_campaign, exported, import_bytes
from tests.factories import make_experiment, make_method, make_user
from tests.oversight.conftest import decided, raised

pytestmark = pytest.mark.django_db

NO_OPTIONS = {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.fixture
def campaign():
    """One with a scored result whose code has a parent, whose result is scored, too."""
    made = a_campaign()
    parent = result_of(made).snapshot.parents.get()
    make_experiment(state="scored", benchmark=made.benchmarks.get(), snapshot=parent, campaign=made.pk)
    return made


def result_of(campaign, number=0):
    """The younger code's result; number: of an import."""
    found = Experiment.objects.filter(campaign=number or campaign.pk, state="scored", snapshot__parents__isnull=False)
    return found.get()


def parent_of(result):
    return Experiment.objects.get(campaign=result.campaign, snapshot__in=result.snapshot.parents.all())


def held(experiment):
    return raised(experiment, level="hold", said=f"h of {experiment.pk}")


def cleared(flag):
    decided(flag, "clean", make_user("reviewer"), make_user("reviewer"))


def taint(experiment):
    return Experiment.objects.get(pk=experiment.pk).tainted_by_id


def submitted(campaign):
    """What somebody submits here from the younger code."""
    make_method("code", options_schema=NO_OPTIONS)
    user, code = make_user("researcher"), result_of(campaign).snapshot_id
    own = create_snapshot(user=user, files={"method.py": "x = 2"}, parents=[code])
    place = campaign.benchmarks.get().slug
    made = submit_experiment(user=user, benchmark=place, options={}, snapshot=own.pk, seeds=1)
    return Experiment.objects.get(pk=made.pk)


def test_what_another_lab_holds_taints_nothing_here_neither_what_was_there_nor_what_comes(campaign):
    flag = held(parent_of(result_of(campaign)))
    archive = exported(campaign.pk)
    cleared(flag)
    source = import_bytes(archive)
    copy = result_of(campaign, source.campaign)
    assert (parent_of(copy).standing, taint(copy)) == ("under_review", parent_of(copy).pk)
    assert taint(result_of(campaign)) is None
    assert taint(submitted(campaign)) is None


def test_nor_does_it_taint_what_is_judged_again_here(campaign):
    parent = parent_of(result_of(campaign))
    flag = held(parent)
    import_bytes(exported(campaign.pk))
    mine = submitted(campaign)
    assert taint(mine) == parent.pk
    cleared(flag)
    assert (taint(mine), taint(result_of(campaign))) == (None, None)


def test_a_verdict_here_leaves_the_taint_of_what_was_imported_as_it_came(campaign):
    parent = parent_of(result_of(campaign))
    clean = exported(campaign.pk)
    flag = held(parent)
    tainted = exported(campaign.pk)
    first, second = import_bytes(clean), import_bytes(tainted)
    copies = [result_of(campaign, source.campaign) for source in (first, second)]
    before = [taint(each) for each in copies]
    assert before == [None, parent_of(copies[1]).pk]
    cleared(flag)
    raised(parent, level="hold", said="again")
    assert taint(result_of(campaign)) == parent.pk
    assert [taint(each) for each in copies] == before
    assert [exported(source.campaign) for source in (first, second)] == [clean, tainted]
    told = Event.objects.filter(kind="experiment.tainted", subject__in=[f"experiment:{each.pk}" for each in copies])
    assert not told.filter(campaign=0).exists()  # but for what their own lab told in their own log


def test_imported_code_still_descends_from_what_is_held_here(campaign):
    held(parent_of(result_of(campaign)))
    import_bytes(exported(campaign.pk))
    assert taint(submitted(campaign)) == parent_of(result_of(campaign)).pk

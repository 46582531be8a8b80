"""Votes and hides from many threads at once: one row each, and the count is the sum of the votes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.db.models import Sum

from experiments.models import Event
from forum.models import Comment, Hide, Tally, Vote
from forum.services.curation import hide
from forum.services.posting import comment
from forum.services.voting import vote
from tests.forum.rows import make_finding, member

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8


def together(*works) -> list:
    """Calls all at the same moment, each in a thread with a connection of its own. Returns: what they returned."""
    barrier = Barrier(len(works))

    def run(work):
        try:
            barrier.wait(30)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(60) for future in [pool.submit(run, work) for work in works]]


def test_the_first_votes_of_one_reader_from_many_threads_are_one_vote() -> None:
    finding, user = make_finding(), member()
    together(*[lambda: vote(user=user, finding_id=finding.pk, value=1)] * THREADS)
    assert Vote.objects.get().value == 1
    assert (Tally.objects.get().score, Tally.objects.get().ups) == (1, 1)
    assert Event.objects.filter(kind="finding.voted").count() == 1


def test_opposite_votes_of_one_reader_end_as_one_of_them() -> None:
    finding, user = make_finding(), member()
    for _ in range(3):
        together(*[lambda v=value: vote(user=user, finding_id=finding.pk, value=v) for value in (1, -1, 0, 1, -1, 0)])
        tally = Tally.objects.get()
        assert tally.score == Vote.objects.get().value == tally.ups - tally.downs
        assert tally.ups + tally.downs <= 1


def test_votes_and_comments_of_many_readers_are_all_counted() -> None:
    findings = [make_finding(), make_finding()]
    users = [member() for _ in range(THREADS)]
    works = []
    for number, user in enumerate(users):
        for finding in findings if number % 2 else reversed(findings):  # crosswise, which would show a deadlock
            works.append(lambda u=user, f=finding, n=number: vote(user=u, finding_id=f.pk, value=1 if n % 4 else -1))
            works.append(lambda u=user, f=finding: comment(user=u, finding_id=f.pk, body="seen"))
    together(*works[:16])
    together(*works[16:])
    for finding in findings:
        tally = Tally.objects.get(finding=finding)
        assert tally.score == Vote.objects.filter(finding=finding).aggregate(sum=Sum("value"))["sum"] == 4
        assert tally.comments == Comment.objects.filter(finding=finding).count() == THREADS
        assert tally.last_comment == Comment.objects.filter(finding=finding).latest("pk").pk
    numbers = list(Event.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def test_two_reviewers_hide_at_once() -> None:
    finding = make_finding()
    reviewers = [member("reviewer") for _ in range(4)]
    made = together(
        *[lambda u=user: hide(user=u, finding_id=finding.pk, reason=f"by {u.username}") for user in reviewers]
    )
    assert len({each.pk for each in made}) == 1
    assert Hide.objects.count() == 1
    assert Event.objects.filter(kind="finding.hidden").count() == 1

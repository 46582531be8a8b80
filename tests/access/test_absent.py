"""What is absent and what may not be seen are one answer, 404; only then is anybody told what they may not."""

from dataclasses import replace

import pytest
from django.test import override_settings

from experiments.errors import Forbidden, NotFound
from forum.services.curation import hide, pin, unhide
from tests.access.matrix import ask, doors
from tests.access.test_matrix import PLAIN
from tests.access.world import AGENTS, PEOPLE, make_world
from tests.factories import make_user
from tests.forum.rows import make_comment, make_finding

pytestmark = pytest.mark.django_db

ABSENT = 2**31 - 1
# What an address may name without a row behind it
NO_ROWS = ("login/", "charts/", "<path:rest>", "forum/feed/")


def test_what_is_absent_is_404_for_everybody_at_every_door():
    world = make_world()
    samples = {key: ABSENT if isinstance(value, int) else "no-such" for key, value in world.samples.items()}
    samples |= {"part": "dev", "path": "method.py", "name": "no-such", "verb": "hide"}
    nowhere = replace(world, samples=samples, special={})
    wrong = []
    with override_settings(STORAGES=PLAIN):
        for door in doors():
            if "<" not in door.path or door.path.startswith(NO_ROWS):
                continue
            for actor in (*PEOPLE, *AGENTS) if door.path.startswith("api/") else PEOPLE:
                status = ask(nowhere, door, actor).status_code
                if status in (404, 405) or (actor in AGENTS and status == ask(world, door, actor).status_code):
                    continue  # a call that is closed to agents, or to one that is held, is so whatever it names
                wrong.append(f"{door.label}: {status} for {actor}")
    assert wrong == []


def test_what_is_hidden_is_absent_also_for_who_would_hide_it():
    rita, viewer = make_user("reviewer"), make_user("viewer")
    finding, other = make_finding(), make_finding()
    remark = make_comment(other)
    for verb, target in ((hide, {"finding_id": other.pk}), (unhide, {"comment_id": remark.pk})):
        with pytest.raises(Forbidden):
            verb(user=viewer, reason="why", **target)
    hide(user=rita, finding_id=finding.pk, reason="spam")
    hide(user=rita, comment_id=remark.pk, reason="spam")
    for verb, target in ((hide, {"finding_id": finding.pk}), (unhide, {"comment_id": remark.pk})):
        with pytest.raises(NotFound):
            verb(user=viewer, reason="why", **target)
    with pytest.raises(NotFound):
        pin(user=viewer, finding_id=finding.pk)
    unhide(user=rita, comment_id=remark.pk, reason="no spam")
    assert pin(user=rita, finding_id=finding.pk).pinned_by == rita

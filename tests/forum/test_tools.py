"""What agents' tools show of the forum is what its API shows them."""

import inspect

import pytest

from agents.tools import TOOLS
from forum.services.curation import hide
from tests.forum.rows import make_comment, make_finding, member

pytestmark = pytest.mark.django_db


class Actor:
    """As much of an acting agent as reading takes."""

    def __init__(self, user) -> None:
        self.user = user


def use(name: str, **arguments) -> str:
    tool = TOOLS.get(name)
    tool = tool() if inspect.isclass(tool) else tool
    return tool.run(Actor(member("agent")), tool.Arguments(**arguments)).text


def test_searching() -> None:
    best = make_finding(title="Kernel width", body="kernel")
    other = make_finding(title="Something", body="about a kernel")
    make_finding(title="Unrelated")
    text = use("search_findings", search="kernels")
    assert text.index(f"finding {best.pk} ") < text.index(f"finding {other.pk} ")
    assert "Unrelated" not in text
    assert use("search_findings", search="kernels", limit=1).count("- finding") == 1
    assert use("search_findings").count("- finding") == 3


def test_a_hidden_comment_is_not_read_to_an_agent() -> None:
    finding = make_finding()
    comment = make_comment(finding, body="the labels are 0 1 1 0")
    make_comment(finding, body="a plain word")
    hide(user=member("reviewer"), comment_id=comment.pk, reason="labels")
    text = use("read_finding", finding=finding.pk)
    assert "0 1 1 0" not in text
    assert "(hidden by a person)" in text
    assert "a plain word" in text

"""Sandboxes that wait for work: ready when asked for, used once, gone when idle."""

import time

import pytest

import sandbox
from sandbox import Limits, SandboxUnavailable
from workers.code_method import CODE_LIMITS, warm
from workers.code_method.warm import Child, WarmChildren

pytestmark = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))


@pytest.fixture
def children():
    made = WarmChildren(CODE_LIMITS, kept_ready=1)
    yield made
    made.close()


def waiting(children):
    """The sandboxes that wait, up or not."""
    return [future.result(30).sandbox for future in children._waiting]


def test_each_is_used_once_and_the_next_waits_already(children):
    with children.take() as first:
        (next_one,) = waiting(children)
        assert first.sandbox.running and next_one.running
    assert not first.sandbox.running
    with children.take() as second:
        assert second.sandbox is next_one
    assert not second.sandbox.running


def test_one_that_died_while_it_waited_is_replaced(children):
    with children.take():
        pass
    (doomed,) = waiting(children)
    doomed.end()
    doomed.wait(60)
    with children.take() as child:
        assert child.sandbox.running


def test_a_task_that_fails_throws_its_sandbox_away_too(children):
    with pytest.raises(RuntimeError), children.take() as child:
        raise RuntimeError
    assert not child.sandbox.running


def test_those_that_wait_in_vain_are_given_up(children, monkeypatch):
    monkeypatch.setattr(warm, "IDLE_SECONDS", 0.3)
    with children.take():
        (idle,) = waiting(children)
    assert idle.wait(60).reason is sandbox.Reason.ASKED
    assert not children._waiting
    with children.take() as child:
        assert child.sandbox.running


def test_a_timer_of_earlier_work_ends_nothing(children, monkeypatch):
    with children.take():
        pass
    before = children._idle
    with children.take():
        (kept,) = waiting(children)
    children._give_up(idle=before)
    assert waiting(children) == [kept] and kept.running


def test_as_many_as_asked_for_are_kept():
    children = WarmChildren(CODE_LIMITS, kept_ready=2)
    try:
        with children.take():
            both = waiting(children)
            assert len(both) == 2
    finally:
        children.close()
    assert not any(each.running for each in both)


def test_closing_leaves_nothing_behind(children):
    with children.take():
        pass
    (idle,) = waiting(children)
    children.close()
    assert not idle.running


def test_a_child_that_cannot_start_says_what_it_said():
    """Too little memory for torch: what an operator with a small machine would meet."""
    child = Child(Limits(memory_bytes=100 * 2**20))
    started = time.monotonic()
    with pytest.raises(SandboxUnavailable, match="Python did not start in the sandbox"):
        child.wait_ready()
    assert time.monotonic() - started < 60


def test_threads_of_code_are_as_many_as_the_worker_was_given(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert {warm._environment()[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"3"}
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= int(warm._environment()["OMP_NUM_THREADS"]) <= 16

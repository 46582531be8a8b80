"""A worker process that takes one step of one agent and stops at a named point, for a test to kill it there with -9.

    python -m tests.agents.victim POINT AGENT MARKER

It touches MARKER when it has come to the point, and holds everything that a worker holds there: lease, heartbeat,
connections. It would go on if it were not killed; nothing in it simulates a death.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import django

HOLD_SECONDS = 600


def main(point: str, agent_id: int, marker: Path) -> None:
    django.setup()
    from agents.loop import run_step

    def hold() -> None:
        marker.touch()
        time.sleep(HOLD_SECONDS)

    POINTS[point](hold)
    run_step(agent_id=agent_id, worker=f"victim:{point}")
    hold()


def before(owner: object, name: str, hold: Callable[[], None]) -> None:
    """Stop when the function is called."""
    original = getattr(owner, name)

    def stopped(*args, **kwargs):
        hold()
        return original(*args, **kwargs)

    setattr(owner, name, stopped)


def after(owner: object, name: str, hold: Callable[[], None], *, call: int = 1) -> None:
    """Stop when the function has returned for that time."""
    original, calls = getattr(owner, name), []

    def stopped(*args, **kwargs):
        result = original(*args, **kwargs)
        calls.append(name)
        if len(calls) == call:
            hold()
        return result

    setattr(owner, name, stopped)


def _claude():
    from agents.researchers.claude import ClaudeResearcher

    return ClaudeResearcher


def _post():
    from agents.tools.post_finding import PostFinding

    return PostFinding


def _services():
    from agents import live, loop

    return live, loop


POINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    "before the model call": lambda hold: before(_claude(), "think", hold),
    "during the stream": lambda hold: after(_services()[0].Typing, "say", hold, call=5),
    "after the reply is stored": lambda hold: after(_services()[1].steps, "record_reply", hold),
    "between two actions": lambda hold: after(_services()[1].actions, "finish_action", hold),
    "in an action, before it writes": lambda hold: before(_post(), "run", hold),
    "in an action, after it wrote": lambda hold: after(_post(), "run", hold),
    "after the last action": lambda hold: before(_services()[1].steps, "finish_step", hold),
    "while waiting": lambda hold: None,  # after its step
    "while pausing": lambda hold: after(_post(), "run", hold),
}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

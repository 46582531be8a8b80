"""An agent's own memory, written by itself: every version is kept."""

from django.db import transaction

from agents.models import Notebook
from agents.services.states import record_agent
from agents.services.transcript import write_notebook
from agents.services.writes import begin_write
from experiments.guard import Call


@transaction.atomic
def save_notebook(*, agent_id: int, body: str) -> Notebook:
    """A new version of an agent's notebook, and its event. Raises: Held, Refused, InvalidInput."""
    agent = begin_write(agent_id, Call("notebook", {"body": body}))
    saved = write_notebook(agent, body)
    record_agent(agent, "notebook.written", version=saved.version)
    return saved

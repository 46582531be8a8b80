"""`manage.py workspaces`: what agents' folders hold on this machine, and their removal once a campaign is over."""

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from agents.lifecycle import AT_WORK
from agents.models import Agent
from agents.workspaces import held_by, kept_on_this_machine, remove_workspace


class Command(BaseCommand):
    """Runs on the machine of the agents worker: workspaces are folders there."""

    help = "Lists the workspaces of agents on this machine, and removes those of campaigns that ended."

    def add_arguments(self, parser: CommandParser) -> None:
        """list, remove --ended-days N [--yes]."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|remove")
        verbs.add_parser("list", help="every workspace with its agent, size and number of files")
        remove = verbs.add_parser("remove", help="remove workspaces of campaigns that ended; snapshots stay")
        remove.add_argument("--ended-days", type=_days, required=True, metavar="DAYS", help="ended that long ago")
        remove.add_argument("--yes", action="store_true", help="remove them; without it they are only named")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises: CommandError."""
        try:
            agents = list(Agent.objects.filter(pk__in=kept_on_this_machine()).select_related("campaign").order_by("pk"))
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"the database does not answer ({reason}); is the lab running?") from None
        if options["verb"] == "list":
            self._list(agents)
        else:
            self._remove(agents, options)

    def _list(self, agents: list[Agent]) -> None:
        if not agents:
            self.stdout.write("There are no workspaces on this machine.")
        for agent in agents:
            self.stdout.write(_line(agent))

    def _remove(self, agents: list[Agent], options: dict[str, Any]) -> None:
        until = timezone.now() - timedelta(days=options["ended_days"])
        # one that still acts has a command in there, whatever its campaign says
        resting = [agent for agent in agents if agent.state not in AT_WORK]
        chosen = [agent for agent in resting if agent.campaign.ended_at and agent.campaign.ended_at <= until]
        if not chosen:
            self.stdout.write(f"No campaign with a workspace here ended {options['ended_days']} days ago or longer.")
            return
        for agent in chosen:
            self.stdout.write(f"{'removed' if options['yes'] else 'would remove'}  {_line(agent)}")
            if options["yes"]:
                remove_workspace(agent.pk)
        if not options["yes"]:
            self.stdout.write("Nothing was removed; with --yes it is.")


def _line(agent: Agent) -> str:
    held = held_by(agent.pk)
    size = "more than its quota" if held.hidden else f"{held.size_bytes / 2**20:.1f} MiB"
    campaign = agent.campaign
    ended = f", ended {campaign.ended_at:%Y-%m-%d}" if campaign.ended_at else ""
    return f"{agent.pk:>6}  {agent.name:<24} {size:>12} {held.files:>6} files  {campaign}{ended}"


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) > 36_500:
        raise ArgumentTypeError(f"{text!r} is no number of days from 0 to 36,500")
    return int(text)

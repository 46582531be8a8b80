"""`manage.py campaign`: estimate, start, watch, freeze, thaw and stop campaigns from a terminal."""

import json
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from agents.directions import DIRECTIONS
from agents.lifecycle import BudgetKind
from agents.models import Campaign
from agents.presets import COSTLY_GPU_SECONDS, LABS_OWN, PRESETS
from agents.rule_texts import rule_text
from agents.selectors.approvals import policy_for
from agents.selectors.campaigns import campaign_detail
from agents.selectors.estimates import Asked, Estimate, estimate, estimate_lines
from agents.serializers.campaigns import CampaignDetail
from agents.serializers.estimates import EstimateFacts
from agents.serializers.policies import PolicyFacts
from agents.services.budgets import MICRO, amount_text
from agents.services.campaigns import (
    AgentPlan,
    create_campaign,
    freeze_campaign,
    start_campaign,
    stop_campaign,
    thaw_campaign,
)
from agents.services.policies import set_policy
from experiments.errors import LabError
from experiments.models import Experiment

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Command(BaseCommand):
    """Acts as the lab's owner unless told otherwise; services decide what is allowed."""

    help = "Estimates, starts, shows, freezes, thaws and stops campaigns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One verb each."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        start = verbs.add_parser("start", help="make a campaign and let its agents begin")
        start.add_argument("--name", default="Campaign")
        start.add_argument("--yes", action="store_true", help="start Claude researchers without asking back")
        guess = verbs.add_parser("estimate", help="what such a campaign would take; nothing is made")
        for each in (start, guess):
            each.add_argument("--benchmark", action="append", required=True, help="slug; may be given several times")
            each.add_argument("--agents", type=int, default=9, help="how many; directions are given out in turn")
            each.add_argument("--researcher", choices=["search", "claude"], default="search")
            each.add_argument("--model", default=settings.CLAUDE_MODEL, help="for Claude researchers")
            each.add_argument("--dollars", type=float, help="money budget; needed for Claude researchers")
            each.add_argument("--gpu-seconds", type=int, help="worker time budget")
        start.add_argument("--policy", choices=list(PRESETS), default="default", help="what a person is asked about")
        policy = verbs.add_parser("policy", help="what agents may do by themselves; with a preset's name, set it")
        policy.add_argument("campaign", type=int)
        policy.add_argument("preset", nargs="?", choices=list(PRESETS))
        policy.add_argument("--reason", default="")
        for each in (start, policy):
            each.add_argument("--ask-above", type=int, help=f"GPU seconds, with costly ({COSTLY_GPU_SECONDS})")
        for verb, text in (("freeze", "hold every agent"), ("stop", "end it for good"), ("thaw", "let it go on")):
            held = verbs.add_parser(verb, help=text)
            held.add_argument("campaign", type=int)
            held.add_argument("--reason", required=verb != "thaw", default="")
        status = verbs.add_parser("status", help="one campaign, or a line for each")
        status.add_argument("campaign", type=int, nargs="?")
        for each in verbs.choices.values():
            each.add_argument("--json", action="store_true", help="answer as the API does")
            each.add_argument("--user", default="owner", help="account that acts (owner)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises: CommandError with the service's sentence."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no account {options['user']!r}; name one with --user")
        try:
            campaign = self._act(user, options)
        except LabError as error:
            raise CommandError(str(error)) from None
        if campaign is not None:
            self._show(user, campaign.pk, as_json=options["json"])

    def _act(self, user: "User", options: dict[str, Any]) -> Campaign | None:
        verb, key = options["verb"], options.get("campaign")
        if verb == "estimate":
            self._show_estimate(_estimate(options), as_json=options["json"])
            return None
        if verb == "start":
            return self._start(user, options)
        if key is None:
            self._list(as_json=options["json"])
            return None
        if verb == "policy":
            self._policy(user, key, options)
            return None
        if verb != "status":
            services = {"freeze": freeze_campaign, "thaw": thaw_campaign, "stop": stop_campaign}
            return services[verb](user=user, campaign_id=key, reason=options["reason"])
        return Campaign(pk=key)

    def _start(self, user: "User", options: dict[str, Any]) -> Campaign:
        claude = options["researcher"] == "claude"
        if claude:
            self._confirm(options)
        plans = [
            AgentPlan(
                researcher=options["researcher"],
                model=options["model"] if claude else "",
                direction=DIRECTIONS[index % len(DIRECTIONS)].slug,
            )
            for index in range(options["agents"])
        ]
        made = create_campaign(
            user=user, name=options["name"], benchmarks=options["benchmark"], agents=plans, budgets=_budgets(options),
            policy=_chosen(options, options["policy"]),
        )  # fmt: skip
        return start_campaign(user=user, campaign_id=made.pk)

    def _policy(self, user: "User", key: int, options: dict[str, Any]) -> None:
        if options["preset"] and not options["reason"]:
            raise CommandError("say why with --reason")
        if options["preset"]:
            chosen = {"preset": options["preset"], "ask_above": options["ask_above"]}
            set_policy(user=user, campaign_id=key, reason=options["reason"], **chosen)
        found = policy_for(user, key)
        if options["json"]:
            self.stdout.write(json.dumps(PolicyFacts(found).data))
            return
        self.stdout.write(f"{found}: {found.reason}")
        for number, rule in enumerate(found.rules, start=1):
            self.stdout.write(f"  {number}. {rule_text(rule)}")

    def _confirm(self, options: dict[str, Any]) -> None:
        """Money is spent only by somebody who has seen the estimate. Raises: CommandError."""
        if options["dollars"] is None:
            raise CommandError("Claude researchers cost money: say how much with --dollars")
        found = _estimate(options)
        if found.problems:
            raise CommandError("; ".join(each.detail for each in found.problems))
        if options["yes"]:
            return
        self._show_estimate(found, as_json=False, to=self.stderr)
        if not sys.stdin.isatty():
            raise CommandError("nothing was started: pass --yes once you have seen the estimate above")
        if input("Start it? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was started")

    def _show_estimate(self, found: Estimate, *, as_json: bool, to: Any = None) -> None:
        out = to or self.stdout
        if as_json:
            out.write(json.dumps(EstimateFacts(found).data))
            return
        for line in estimate_lines(found):
            out.write(f"  {line.label:<14} {line.text}")
        for head, lines in (("limits", found.limits), ("rests on", found.basis)):
            for said in lines:
                out.write(f"  {head:<14} {said}")
        for problem in found.problems:
            out.write(f"  {'in the way':<14} {problem.detail}")

    def _list(self, *, as_json: bool) -> None:
        rows = [{"id": each.pk, "name": each.name, "state": each.state} for each in Campaign.objects.all()]
        if as_json:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            self.stdout.write(f"{row['id']:>5}  {row['state']:<9} {row['name']}")
        if not rows:
            self.stdout.write("No campaigns yet: `manage.py campaign start --benchmark geography`.")

    def _show(self, user: "User", campaign_id: int, *, as_json: bool) -> None:
        campaign = campaign_detail(user, campaign_id)
        facts = CampaignDetail(campaign).data
        if as_json:
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(f"campaign {campaign.pk}: {campaign.name}, {campaign.state} {campaign.reason}".rstrip())
        for budget in facts["budgets"]:
            spent = amount_text(budget["kind"], budget["spent"])
            self.stdout.write(f"  {budget['kind']}: {spent} of {amount_text(budget['kind'], budget['limit'])}")
        for agent in facts["agents"]:
            self.stdout.write(
                f"  {agent['name']:<24} {agent['state']:<9} {agent['steps_done']:>4} steps  {agent['doing']}"
            )
        best = Experiment.objects.filter(campaign=campaign.pk, dev_pgr__isnull=False).order_by("-dev_pgr").first()
        if best is not None:
            self.stdout.write(f"  best dev PGR {best.dev_pgr:.3f}: #{best.pk} {best.title}")


def _chosen(options: dict[str, Any], preset: str) -> dict[str, Any] | None:
    """As `create_campaign` takes it; None: the campaign follows the lab's rules."""
    chosen = {"preset": preset, "ask_above": options["ask_above"]}
    return None if chosen == LABS_OWN else chosen


def _budgets(options: dict[str, Any]) -> dict[str, int]:
    budgets = {}
    if options["dollars"] is not None:
        budgets[BudgetKind.MONEY.value] = int(options["dollars"] * MICRO)
    if options["gpu_seconds"] is not None:
        budgets[BudgetKind.GPU_SECONDS.value] = options["gpu_seconds"]
    return budgets


def _estimate(options: dict[str, Any]) -> Estimate:
    model = options["model"] if options["researcher"] == "claude" else ""
    return estimate(
        benchmarks=options["benchmark"],
        agents=[Asked(options["researcher"], model, options["agents"])],
        budgets=_budgets(options),
    )

"""Forms of the pages: a new campaign, and the reasons that every control asks for."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from django import forms
from django.conf import settings

from agents.access import why_no_claude
from agents.directions import DIRECTIONS
from agents.lifecycle import BudgetKind
from agents.models.agents import RESEARCHERS
from agents.presets import COSTLY_GPU_SECONDS, LABS_OWN, MOST_SECONDS, PRESET_CHOICES
from agents.selectors.estimates import Estimate, estimate, grouped
from agents.services.budgets import MICRO
from agents.services.campaigns import AgentPlan
from experiments.errors import InvalidInput
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark

MOST_COPIES = 20
_BRIEF = "brief_"
_DIRECTION_FIELDS = ("directions", "own_direction", "own_brief", "copies")


class PolicyChoice(forms.Form):
    """What a person is asked about."""

    preset = forms.ChoiceField(
        label="Ask a person before", choices=PRESET_CHOICES, initial="default", required=False,
        help_text="The call waits in the inbox; the agent goes on with other work",
    )  # fmt: skip
    ask_above = forms.IntegerField(
        label="Costly is above", min_value=0, max_value=MOST_SECONDS, required=False,
        help_text=f"GPU seconds a call may take, for the choice that asks above a cost; {COSTLY_GPU_SECONDS} if empty",
    )  # fmt: skip

    def chosen(self) -> dict[str, Any]:
        """As the services take it. Raises: InvalidInput naming the first field that is wrong."""
        if not self.is_valid():
            name, errors = next(iter(self.errors.items()))
            raise InvalidInput(f"{self.fields[name].label}: {errors[0]}", pointer=f"#/{name}")
        return {"preset": self.cleaned_data["preset"] or "default", "ask_above": self.cleaned_data["ask_above"]}


class NewCampaign(PolicyChoice):
    """One agent for each chosen direction."""

    name = forms.CharField(max_length=120)
    benchmarks = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    researcher = forms.ChoiceField(
        choices=RESEARCHERS,
        help_text="Search needs no key and costs nothing; Claude needs ANTHROPIC_API_KEY; outside agents bring a token",
    )
    model = forms.CharField(max_length=80, required=False, help_text="For Claude researchers")
    directions = forms.MultipleChoiceField(
        required=False,
        choices=[(each.slug, each.title) for each in DIRECTIONS],
        widget=forms.CheckboxSelectMultiple,
        help_text="Deliberately vague and different, so that agents do not all try the same first",
    )
    copies = forms.IntegerField(
        label="Agents for each direction", min_value=1, max_value=MOST_COPIES, initial=1, required=False
    )
    own_direction = forms.RegexField(
        r"^[\w.\-]*$", max_length=60, required=False, label="A direction of your own",
        help_text="A short name without spaces; say what it is about below",
    )  # fmt: skip
    own_brief = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), required=False, max_length=20_000, label="What it is about"
    )
    brief = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), required=False, max_length=20_000, help_text="Told to every agent"
    )
    dollars = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=2, required=False, help_text="Money for the whole campaign"
    )
    gpu_seconds = forms.IntegerField(min_value=0, required=False, label="GPU seconds", help_text="Worker time in all")
    tokens = forms.IntegerField(min_value=0, required=False, help_text="Of language models, in all")
    deadline = forms.DateTimeField(
        required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), help_text="UTC"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "new_%s", **kwargs})
        self.order_fields([*(name for name in self.fields if name not in PolicyChoice.base_fields)])
        ready = Benchmark.objects.filter(state=BenchmarkState.READY).values_list("slug", "title")
        self.fields["benchmarks"].choices = list(ready)  # type: ignore[attr-defined]
        self.fields["researcher"].initial = "search"  # the one that cannot spend money
        self.fields["model"].initial = settings.CLAUDE_MODEL
        self.fields["directions"].initial = [each.slug for each in DIRECTIONS]
        for each in DIRECTIONS:
            self.fields[f"{_BRIEF}{each.slug}"] = forms.CharField(
                widget=forms.Textarea(attrs={"rows": 4}), required=False, max_length=20_000, initial=each.brief,
                label=f"What {each.title.lower()} is about",
            )  # fmt: skip

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """All but the directions, in their order."""
        return [field for field in self if field.name not in _DIRECTION_FIELDS and not field.name.startswith(_BRIEF)]

    @property
    def direction_fields(self) -> list[tuple[str, str, bool, forms.BoundField]]:
        """Slug, title, whether it is chosen, and the field of its text."""
        chosen = self["directions"].value() or []
        return [(each.slug, each.title, each.slug in chosen, self[f"{_BRIEF}{each.slug}"]) for each in DIRECTIONS]

    def clean(self) -> dict[str, Any]:
        """Claude researchers need a model, a key and a bound on what they cost."""
        given = super().clean() or {}
        if not given.get("directions") and not given.get("own_direction"):
            self.add_error("directions", "Choose at least one direction, or write one of your own.")
        if given.get("own_direction") and not given.get("own_brief"):
            self.add_error("own_brief", "Say what your direction is about.")
        if given.get("researcher") == "claude" and (why := why_no_claude()):
            self.add_error("researcher", f"{why[:1].upper()}{why[1:]}.")
        if given.get("researcher") == "claude":
            if not given.get("model"):
                self.add_error("model", "A Claude researcher needs the name of a model.")
            if given.get("dollars") is None:
                self.add_error("dollars", "Say how much it may cost at most.")
        return given

    def plans(self) -> list[AgentPlan]:
        """The agents it asks for; a direction whose text was changed brings its own."""
        chosen = self.cleaned_data
        model = chosen["model"] if chosen["researcher"] == "claude" else ""
        asked = [(slug, chosen.get(f"{_BRIEF}{slug}", "").strip()) for slug in chosen["directions"]]
        asked += [(chosen["own_direction"], chosen["own_brief"])] if chosen["own_direction"] else []
        return [
            AgentPlan(
                researcher=chosen["researcher"],
                model=model,
                direction=slug,
                brief=brief,
                name=slug if copy == 1 else f"{slug}-{copy}",
            )
            for slug, brief in asked
            for copy in range(1, (chosen["copies"] or 1) + 1)
        ]

    def estimate(self) -> Estimate:
        """What it would take; needs a valid form."""
        chosen = self.cleaned_data
        return estimate(
            benchmarks=chosen["benchmarks"],
            agents=grouped((plan.researcher, plan.model) for plan in self.plans()),
            budgets=self.budgets(),
            deadline=chosen["deadline"],
        )

    def seen_mark(self) -> str:
        """What somebody who has seen the estimate agrees to; another plan has another mark."""
        chosen = self.cleaned_data
        facts = [sorted(chosen["benchmarks"]), len(self.plans()), chosen["researcher"], chosen["model"], self.budgets()]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def policy(self) -> dict[str, Any] | None:
        """As `create_campaign` takes it; None: it follows the lab's, also when that changes."""
        chosen = self.chosen()
        return None if chosen == LABS_OWN else chosen

    def budgets(self) -> dict[str, int]:
        """Limits by kind; what was left empty has none."""
        chosen = self.cleaned_data
        amounts = {
            BudgetKind.MONEY.value: None if chosen["dollars"] is None else int(chosen["dollars"] * MICRO),
            BudgetKind.GPU_SECONDS.value: chosen["gpu_seconds"],
            BudgetKind.TOKENS.value: chosen["tokens"],
        }
        return {kind: amount for kind, amount in amounts.items() if amount is not None}

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        head = (pointer or "#/").split("/")[1]
        field = {"agents": "model", "budget": "dollars"}.get(head, head)
        self.add_error(field if field in self.fields else None, message)


class Added(forms.Form):
    """More budget with a resume. kinds: the budgets that bind the agent; others have no limit to raise."""

    money = forms.DecimalField(
        min_value=0, max_value=10_000_000, max_digits=12, decimal_places=2, required=False, label="Dollars more"
    )
    tokens = forms.IntegerField(min_value=0, max_value=2**53, required=False, label="Tokens more")
    gpu_seconds = forms.IntegerField(min_value=0, max_value=2**40, required=False, label="GPU seconds more")
    evaluations = forms.IntegerField(min_value=0, max_value=2**31, required=False, label="Evaluations more")

    def __init__(self, *args: Any, kinds: Collection[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "added_%s", **kwargs})
        for name in list(self.fields):
            if kinds is not None and name not in kinds:
                del self.fields[name]

    def amounts(self) -> dict[str, int]:
        """By kind; nothing for what is empty. Raises: InvalidInput naming the first field that is no amount."""
        if not self.is_valid():
            name, errors = next(iter(self.errors.items()))
            raise InvalidInput(f"{self.fields[name].label}: {errors[0]}", pointer=f"#/add_budget/{name}")
        given = {kind: value for kind, value in self.cleaned_data.items() if value}
        return {kind: int(value * MICRO) if kind == BudgetKind.MONEY else int(value) for kind, value in given.items()}

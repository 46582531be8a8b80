"""Forms of the pages: what may be asked of a list, and an experiment built from its method's option schema."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms

from experiments.lifecycle import ExperimentState, MethodClass, Standing
from experiments.models import Benchmark, Method
from experiments.option_fields import option_field
from experiments.options import POINTER
from experiments.permissions import can_see_holdout
from experiments.seeds import MOST_SEEDS
from experiments.selectors.experiment_table import HOLDOUT_ORDERS, ORDERS
from experiments.selectors.new_experiment import BenchmarkChoice
from experiments.transfer.plans import CONFIRMING_SEEDS, FEWEST_SEEDS, USUAL_SEEDS, USUAL_THETA

if TYPE_CHECKING:
    from experiments.permissions import Actor

_OPTION = "option_"


class ExperimentFilters(forms.Form):
    """Filters, search and order of the experiments table."""

    search = forms.CharField(
        required=False, max_length=200, label="Search", widget=forms.TextInput(attrs={"type": "search"})
    )
    benchmark = forms.ChoiceField(required=False)
    method = forms.ChoiceField(required=False)
    submitter = forms.CharField(required=False, max_length=150, widget=forms.TextInput(attrs={"list": "submitters"}))
    state = forms.ChoiceField(required=False, choices=[("", "Any"), *ExperimentState.choices])
    standing = forms.ChoiceField(required=False, choices=[("", "Any"), *Standing.choices])
    order = forms.ChoiceField(required=False, label="Sort by")

    def __init__(self, *args: Any, user: "Actor", **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "filter_%s"})
        # "class" is a word of Python's, so it cannot be an attribute
        self.fields["class"] = forms.ChoiceField(
            required=False, choices=[("", "Any"), *MethodClass.choices], label="Class"
        )
        slugs = Benchmark.objects.visible_to(user).values_list("slug", "title")
        self.fields["benchmark"].choices = [("", "Any"), *slugs]  # type: ignore[attr-defined]
        self.fields["method"].choices = [("", "Any"), *Method.objects.values_list("name", "title")]  # type: ignore[attr-defined]
        orders = {**ORDERS, **(HOLDOUT_ORDERS if can_see_holdout(user) else {})}
        self.fields["order"].choices = [("", "Newest first"), *list(orders.items())[1:]]  # type: ignore[attr-defined]
        self.order_fields(["search", "benchmark", "method", "submitter", "state", "standing", "class", "order"])

    def chosen(self) -> dict[str, str]:
        """What was asked for and is allowed; a refused field does not filter, and says so beside it."""
        self.is_valid()
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


class PlainExperiment(forms.Form):
    """What every experiment by hand says, whatever its method."""

    benchmark = forms.ChoiceField()
    seeds = forms.IntegerField(min_value=1, max_value=MOST_SEEDS, required=False)
    title = forms.CharField(
        max_length=200, required=False, help_text="What people will see in lists; empty: method and benchmark"
    )
    hypothesis = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=10_000,
        help_text="What you expect, and why: written before the result, it is worth more after it",
    )

    def __init__(self, *args: Any, benchmarks: Sequence[BenchmarkChoice], **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "new_%s"})
        self.fields["benchmark"].choices = [(each.slug, each.title) for each in benchmarks]  # type: ignore[attr-defined]
        usual = " or ".join(str(seeds) for seeds in sorted({each.default_seeds for each in benchmarks}))
        self.fields["seeds"].help_text = f"How many runs, 1 to {MOST_SEEDS}; empty: the benchmark's default ({usual})"


class RunSnapshot(PlainExperiment):
    """An experiment with the code of a snapshot; code has no options."""

    def arguments(self) -> dict[str, Any]:
        """For the service."""
        return {**self.cleaned_data, "options": {}}

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        name = (pointer or "").removeprefix("#/")
        self.add_error(name if name in self.fields else None, message)


class NewExperiment(PlainExperiment):
    """An experiment by hand; one field per option of the chosen method, with its range, default and help."""

    def __init__(self, *args: Any, method: Method, benchmarks: Sequence[BenchmarkChoice], **kwargs: Any) -> None:
        super().__init__(*args, benchmarks=benchmarks, **kwargs)
        self.method = method
        for field in self.fields.values():
            field.widget.attrs["data-keep"] = ""  # what was typed stays when another method is chosen
        definitions = method.options_schema.get("$defs", {})
        for name, schema in _properties(method).items():
            self.fields[_OPTION + name] = option_field(name, schema, definitions)

    @property
    def option_fields(self) -> list[forms.BoundField]:
        """The fields of the method's options."""
        return [self[name] for name in self.fields if name.startswith(_OPTION)]

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """The fields that every method has."""
        return [self[name] for name in self.fields if not name.startswith(_OPTION)]

    def options(self) -> dict[str, Any]:
        """The method's options as its schema names them; empty optional ones are left to their default."""
        chosen = {name: self.cleaned_data.get(_OPTION + name) for name in _properties(self.method)}
        return {name: value for name, value in chosen.items() if value not in (None, "")}

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        leaf = (pointer or "").removeprefix(f"{POINTER}/")  # "#/method/options/l2" is the option l2
        wanted = leaf.removeprefix("#/") if leaf == pointer else _OPTION + leaf.partition("/")[0]
        self.add_error(wanted if wanted in self.fields else None, message)


def initial_values(values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What a new experiment's form starts with: its own fields, and options by their names."""
    return {**values, **{_OPTION + name: value for name, value in options.items()}}


def _typed(field: forms.Field, given: str, usual: Any) -> Any:
    try:
        return field.clean(given)
    except forms.ValidationError:
        return usual


def _properties(method: Method) -> dict[str, Any]:
    return dict(method.options_schema.get("properties", {}))


class NewStudy(forms.Form):
    """A transfer study by hand; its cells are ticked in a table beside it."""

    seeds = forms.IntegerField(
        min_value=FEWEST_SEEDS,
        max_value=MOST_SEEDS,
        initial=USUAL_SEEDS,
        help_text=f"Runs per cell, {FEWEST_SEEDS} to {MOST_SEEDS}; with fewer than {CONFIRMING_SEEDS} it explores",
    )
    theta_min = forms.FloatField(
        label="Smallest PGR that counts",
        min_value=0,
        max_value=0.99,
        initial=USUAL_THETA,
        help_text="θ_min: a method transfers where its PGR is above it; decide before you look",
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "study_%s"})

    def sizes_or_usual(self, given: Mapping[str, str]) -> tuple[int, float]:
        """Seeds and θ_min for which the detectable effect is shown: what was typed, where it is allowed."""
        usual = {"seeds": USUAL_SEEDS, "theta_min": USUAL_THETA}
        seeds, theta_min = (_typed(self.fields[name], given.get(name, ""), usual[name]) for name in usual)
        return int(seeds), float(theta_min)

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        name = (pointer or "").removeprefix("#/")
        self.add_error(name if name in self.fields else None, message)

"""Forms of the forum's pages."""

from typing import Any

from django import forms

from forum.models import MOST_BODY, MOST_TITLE, Kind
from forum.selectors.findings import SEARCH_ORDERS
from forum.selectors.search import MOST_SEARCH

_LARGEST_ID = 2**63 - 1


class FindingFilters(forms.Form):
    """Search, filters and order of the list; the kind is chosen by its tabs."""

    search = forms.CharField(
        required=False,
        max_length=MOST_SEARCH,
        label="Search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": '"exact phrase" -without'}),
    )
    author = forms.CharField(required=False, max_length=150, widget=forms.TextInput(attrs={"list": "authors"}))
    experiment = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_LARGEST_ID,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "number"}),
    )
    campaign = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_LARGEST_ID,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "number"}),
    )
    order = forms.ChoiceField(required=False, label="Sort by")
    kind = forms.ChoiceField(required=False, choices=[("", "All"), *Kind.choices], widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "filter_%s", **kwargs})
        orders = [("", "Best match, or newest")]
        self.fields["order"].choices = [*orders, *SEARCH_ORDERS.items()]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """What was asked for and is allowed; a refused field does not filter, and says so beside it."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class Ids(forms.CharField):
    """Ids in a line of text: `12, 15` or `#12 #15`."""

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        """Raises: ValidationError that names what is no id."""
        words = str(value or "").replace(",", " ").split()
        ids = []
        for word in words:
            digits = word.removeprefix("#")
            if not (digits.isascii() and digits.isdecimal() and 0 < int(digits) <= _LARGEST_ID):
                raise forms.ValidationError(f"{word!r} is not an id: write numbers, such as 12, 15")
            ids.append(int(digits))
        return ids

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Nobody asks."""
        return False


class NewFinding(forms.Form):
    """A finding by hand."""

    kind = forms.ChoiceField(choices=Kind.choices)
    title = forms.CharField(max_length=MOST_TITLE, help_text="The claim in one line")
    body = forms.CharField(
        max_length=MOST_BODY,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text="Markdown. {{pgr exp:12}}, {{accuracy exp:12}}, {{exp:12}} and {{finding:7}} show the ledger's own"
        " numbers; they stay current.",
    )
    experiments = Ids(required=False, help_text="Numbers of the experiments it speaks of, such as 12, 15")
    parents = Ids(required=False, label="Builds on", help_text="Numbers of the findings it builds on")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "new_%s", **kwargs})

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        parts = (pointer or "").removeprefix("#/").split("/")
        self.add_error(parts[0] if parts[0] in self.fields else None, message)

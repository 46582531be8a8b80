"""What a control came to: said in the page at once, or as a message where a browser runs no script."""

from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest


class Said(NamedTuple):
    """One sentence. tone: "good" or "bad"."""

    text: str
    tone: str


def tell(request: HttpRequest, said: Said) -> None:
    """Keep it for the next whole page."""
    messages.add_message(request, messages.SUCCESS if said.tone == "good" else messages.ERROR, said.text)

"""Cursors are ours, or refused."""

import base64
import json

import pytest

from experiments.models import Experiment
from experiments.selectors.keyset import BadCursor, window


def cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "====",
        "é",
        cursor({}),
        cursor([1]),
        cursor([1, "2", False]),
        cursor(["a", 1, False]),
        cursor([1, 2, 3]),
        cursor(None),
        cursor([True, True, True]),
        cursor([1, 2**70, False]),
        cursor([float("nan"), 1, False]),
    ],
)
def test_a_cursor_that_no_page_gave_out_is_refused(db, text):
    with pytest.raises(BadCursor):
        window(Experiment.objects.all(), order="-dev_pgr", cursor=text, size=5)

"""The guide to charts is true: its example is a chart."""

import re
import sys
import types
from pathlib import Path

import pytest

from experiments.charts import CHARTS
from tests.factories import make_experiment, make_user

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-chart.md"


@pytest.fixture
def example():
    """The guide's first block, as the module it would be."""
    CHARTS.names()  # the real ones load first
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    module = types.ModuleType("example_chart")
    sys.modules["example_chart"] = module
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    yield module
    del CHARTS._items["method-times"], sys.modules["example_chart"]


def test_the_example_draws_itself_as_figure_table_and_csv(example, roles, viewer):
    make_experiment(user=make_user(), state="scored", worker_seconds=1.5)
    assert viewer.get("/charts/method-times/").json()["data"][0]["y"] == [1.5]
    table = viewer.get("/charts/method-times/table/").content.decode()
    assert "Mean worker time (s)" in table and "1.500" in table
    assert b"vanilla,1.5,1" in b"".join(viewer.get("/charts/method-times.csv").streaming_content)

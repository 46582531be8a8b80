"""Pages of snapshots: code as text, lineage, experiments, differences, the archive, and an experiment from it."""

import gzip
import io
import tarfile

import pytest

from experiments.models import Experiment
from experiments.selectors import snapshot_pages
from experiments.snapshots.services import create_snapshot
from tests.factories import make_experiment, make_method, make_user
from tests.pages.test_queries import queries

FIRST = "def fit(context):\n    return None  # <script>alert(1)</script>\n"
SECOND = 'def fit(context):\n    """Two\n    lines."""\n    return 1\n'


@pytest.fixture
def author(roles):
    return make_user("researcher", name="iris")


@pytest.fixture
def family(author):
    first = create_snapshot(user=author, files={"method.py": FIRST, "parts/notes.txt": "<b>bold</b>"})
    second = create_snapshot(user=author, files={"method.py": SECOND}, parents=[first.pk])
    third = create_snapshot(user=author, files={"method.py": SECOND + "# more\n"}, parents=[second.pk])
    return first, second, third


def get(client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_list_says_how_code_comes(viewer):
    assert "POST /api/v1/snapshots/" in get(viewer, "/snapshots/")


def test_code_is_highlighted_text_and_never_markup(viewer, family):
    page = get(viewer, f"/snapshots/{family[0].pk}/")
    assert '<span class="hl-k">def</span>' in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "<b>bold</b>" not in page and "&lt;b&gt;bold" in page
    assert page.count('<span class="line">') == 3  # two of code, one of notes


def test_a_string_over_two_lines_keeps_its_colour_on_both(viewer, family):
    page = get(viewer, f"/snapshots/{family[1].pk}/")
    body = page.split('aria-label="method.py">')[1].split("</pre>")[0]
    assert body.count('<span class="line">') == body.count("\n") + 4 == 4
    assert all(line.count("</span>") == line.count("<span") + 1 for line in body.split('<span class="line">')[1:])


def test_a_page_shows_where_it_came_from_what_came_of_it_and_who_ran_it(viewer, family, author):
    first, second, third = family
    make_method("code")
    ran = make_experiment(user=author, state="scored", dev=0.62, snapshot=second, title="Ran it")
    page = get(viewer, f"/snapshots/{second.pk}/")
    assert f'href="/snapshots/{first.pk}/"' in page and f'href="/snapshots/{third.pk}/"' in page
    assert f'href="/snapshots/{first.pk}/diff/{second.pk}/"' in page
    assert f'href="/experiments/{ran.pk}/"' in page and "Ran it" in page
    assert f'href="/snapshots/{second.pk}/"' in get(viewer, f"/experiments/{ran.pk}/")
    figure = viewer.get(f"/charts/snapshot-lineage/?snapshot={second.pk}").json()
    links, spots = figure["data"]
    assert spots["text"] == [f"#{first.pk}", f"#{second.pk} 0.62", f"#{third.pk}"]
    assert spots["x"] == [-1.0, 0.0, 1.0]
    assert links["x"] == [-1.0, 0.0, None, 0.0, 1.0, None]
    assert "n = 1 experiment" in spots["hovertext"][1]
    assert viewer.get("/charts/snapshot-lineage/?snapshot=999").json()["data"] == []
    assert viewer.get("/charts/snapshot-lineage/?snapshot=x").json()["data"] == []


def test_what_would_be_too_long_has_a_page_of_its_own(viewer, family, monkeypatch):
    monkeypatch.setattr(snapshot_pages, "MOST_SHOWN", len(FIRST))
    address = f"/snapshots/{family[0].pk}/files/parts/notes.txt"
    assert f'href="{address}"' in get(viewer, f"/snapshots/{family[0].pk}/")
    assert "&lt;b&gt;bold" in get(viewer, address)


def test_the_difference_of_any_two(viewer, family):
    first, _, third = family
    page = get(viewer, f"/snapshots/{first.pk}/diff/{third.pk}/")
    assert '<span class="line removed">-    return None' in page
    assert '<span class="line added">+# more</span>' in page
    assert "parts/notes.txt" in page and "removed" in page
    assert "The same content" in get(viewer, f"/snapshots/{first.pk}/diff/{first.pk}/")
    chosen = viewer.get(f"/snapshots/?left={first.pk}&right={third.pk}")
    assert chosen.headers["Location"] == f"/snapshots/{first.pk}/diff/{third.pk}/"


def test_the_archive_holds_the_files(viewer, family):
    answer = viewer.get(f"/snapshots/{family[0].pk}/archive/")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(answer.content))) as tar:
        assert tar.extractfile("method.py").read().decode() == FIRST
    assert f'filename="snapshot-{family[0].pk}.tar.gz"' in answer.headers["Content-Disposition"]


def test_search_and_pages(viewer, family, author, monkeypatch):
    other = create_snapshot(user=make_user("researcher", name="zoe"), files={"method.py": "x = 1\n"})
    make_method("code")
    make_experiment(user=author, state="scored", snapshot=family[1], title="Annealed loss")
    find = lambda search: get(viewer, f"/snapshots/?search={search}")  # noqa: E731
    link = lambda row: f'href="/snapshots/{row.pk}/"'  # noqa: E731
    assert link(other) in find("zoe") and link(family[1]) not in find("zoe")
    assert link(family[1]) in find("annealed") and link(other) not in find("annealed")
    assert link(family[0]) in find(family[0].digest[:10])
    assert "No snapshot fits" in find("%00nothing")
    monkeypatch.setattr(snapshot_pages, "PAGE_SIZE", 2)
    assert f"?before={family[2].pk}" in get(viewer, "/snapshots/")
    assert link(family[0]) in get(viewer, f"/snapshots/?before={family[1].pk}")


def test_absent_ones_are_404(viewer, family):
    for path in ("/snapshots/999/", "/snapshots/999/archive/", f"/snapshots/{family[0].pk}/diff/999/"):
        assert viewer.get(path).status_code == 404
    assert viewer.get(f"/snapshots/{family[0].pk}/files/none.py").status_code == 404


def test_an_experiment_from_a_snapshot(lab, researcher, viewer, family):
    address = f"/snapshots/{family[1].pk}/run/"
    assert viewer.get(address).status_code == 403 and viewer.post(address, {}).status_code == 403
    assert 'value="geography"' in get(researcher, address)
    refused = researcher.post(address, {"benchmark": "geography"})
    assert refused.status_code == 422 and "code is not run here at present" in refused.content.decode()
    make_method("code", options_schema={})
    answer = researcher.post(address, {"benchmark": "geography", "seeds": "2", "title": "From there"})
    made = Experiment.objects.get(title="From there")
    assert answer.headers["Location"] == f"/experiments/{made.pk}/"
    assert (made.snapshot_id, made.seeds, made.submitter.username) == (family[1].pk, 2, "rosa")


def test_a_long_list_asks_no_more(viewer, family, author):
    before = queries(viewer, "/snapshots/")
    for index in range(10):
        create_snapshot(user=author, files={"method.py": f"x = {index}\n"}, parents=[family[0].pk])
    assert queries(viewer, "/snapshots/") <= before <= 12

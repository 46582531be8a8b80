"""tests registry.py: plug-ins load on first use, once, whoever asks first."""

import sys
import threading

import pytest

from registry import DuplicateName, Registry, UnknownName


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two plug-ins, one of which takes its time to load."""
    folder = tmp_path / "plugins_here"
    folder.mkdir()
    (folder / "__init__.py").write_text("from registry import Registry\nITEMS = Registry('thing', __name__)\n")
    (folder / "slow.py").write_text(
        "import time\ntime.sleep(0.3)\nfrom plugins_here import ITEMS\n@ITEMS.register('slow')\nclass Slow: ...\n"
    )
    (folder / "_helper.py").write_text("raise RuntimeError('no plug-in')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("plugins_here")]:
        del sys.modules[name]


def test_threads_that_ask_while_another_loads_wait_for_all_of_it(package):
    from plugins_here import ITEMS

    found = []
    threads = [threading.Thread(target=lambda: found.append(ITEMS.get("slow").__name__)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Slow"] * 8


def test_an_unknown_name_lists_the_known_ones(package):
    from plugins_here import ITEMS

    with pytest.raises(UnknownName, match="unknown thing 'fast'; known: slow"):
        ITEMS.get("fast")


def test_a_name_is_given_once():
    items: Registry[object] = Registry("thing", "plugins_here")
    items.register("a")(object())
    with pytest.raises(DuplicateName):
        items.register("a")(object())

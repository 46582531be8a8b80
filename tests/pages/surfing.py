"""A real server and a real Chromium for tests: what only a browser can show."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serving(folder: Path):
    """Daphne on the tests' database, with collected static files, as in production. Yields: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = connection.settings_dict["NAME"]
    address = os.environ["DATABASE_URL"].partition("?")
    environment = {
        **os.environ,
        "DATABASE_URL": f"{address[0].rpartition('/')[0]}/{database}{address[1]}{address[2]}",
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "DEBUG": "0",
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "aarweb.settings",
    }
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
    run = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(run, cwd=ROOT, env=environment, check=True)
    log = (folder / "server.log").open("w")
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "aarweb.asgi:application"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/login/", server, folder / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(START_SECONDS * 10):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


class Surfer:
    """Somebody in front of a browser: opens pages, and remembers what the console complained about."""

    def __init__(self, browser, url: str, user=None, *, width: int = 1280, dark: bool = False, **options) -> None:
        self.url = url
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": url}])
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({self.page.url})")

    def open(self, path: str):
        """Goes there and waits until the page stands. Returns: the page."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def follow(self, control) -> None:
        """Clicks a link or a button of a form, and waits until the page that answers stands: a click alone may not."""
        with self.page.expect_navigation(wait_until="load"):
            control.click()

    def wait_refused(self, status: int) -> None:
        """Takes note that the browser itself reports an answer of 400 or more, as it does some time after the page."""
        told = f"status of {status}"
        for _ in range(100):
            if any(told in each for each in self.complaints):
                break
            self.page.wait_for_timeout(50)
        else:
            raise AssertionError(f"the browser reported no {status}: {self.complaints}")
        self.complaints[:] = [each for each in self.complaints if told not in each]

    def draw_figures(self) -> list[str]:
        """Scrolls through the page, so that every figure is asked for. Returns: how each of them ended."""
        figures = self.page.locator("[data-chart-url]")
        for index in range(figures.count()):
            figures.nth(index).scroll_into_view_if_needed()
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('[data-chart-url]')].every((each) => each.dataset.drawn)"
        )
        return self.page.evaluate(
            "() => [...document.querySelectorAll('[data-chart-url]')].map((e) => e.dataset.drawn)"
        )

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def spilling(self) -> list[str]:
        """Texts that stick out of their own box, over their neighbours, though the page is not too wide."""
        return self.page.evaluate(
            "() => [...document.querySelectorAll('main dd, main dt, main .panel, main .panel > div, .top-row > *')]"
            ".filter((each) => each.checkVisibility() && getComputedStyle(each).overflowX === 'visible'"
            " && each.clientWidth && each.scrollWidth > each.clientWidth + 1)"
            ".map((each) => each.innerText.slice(0, 80))"
        )

    def wait_live(self) -> None:
        """Until the stream is connected."""
        self.page.wait_for_selector("[data-live-status][data-state=live]")

"""A real Chromium before a real server that serves the small trained shop."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from storewise.serve.app import create_app
from storewise.testing import small_shop

pytest.importorskip("playwright", reason="playwright is not installed (pip install 'storewise[dev]')")
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--no-first-run",
    "--metrics-recording-only",
    "--mute-audio",
]
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


class Server:
    """The app on a free port of this machine, in a thread."""

    def __init__(self, folder: Path, **access: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = create_app(small_shop.open_service(folder), **access)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Server:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start within 20 s"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()


@pytest.fixture(scope="session")
def server(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of the page; each test takes its own shopper."""
    folder = Path(shutil.copytree(trained_shop, tmp_path_factory.mktemp("page") / "shop"))
    with Server(folder) as running:
        yield running


@pytest.fixture
def open_server() -> type[Server]:
    """For tests that need a server of their own."""
    return Server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """One browser tab. What the browser complains about is kept, and is an error at the end of the test."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, where: str = "", *, lang: str = "en") -> Page:
        self.page.goto(f"{self.address}/?lang={lang}{where}")
        return self.page

    def list_of(self, where: str = "", *, lang: str = "en") -> Page:
        """The shop view with a list."""
        page = self.open(where or "#shop", lang=lang)
        page.wait_for_selector(".card")
        page.wait_for_selector(".past .day, .past .empty")
        return page

    def answer(self, path: str, body: Any, *, status: int = 200) -> None:
        """Answer one address of the API with something that the small shop doesn't have."""
        self.page.route(f"**{path}", lambda route: route.fulfill(status=status, json=body))

    def nameless(self) -> list[str]:
        """What can be pressed or filled in and has no name for a screen reader."""
        wanted = "button, a, input, select, summary, [role=button], [role=img], [role=group], dialog[open]"
        found: list[str] = self.page.locator(wanted).evaluate_all(NAMELESS)
        return found

    def faint(self) -> list[str]:
        """Texts with a contrast below 4.5 : 1 (WCAG 2.2 AA), those of drawings among them."""
        found: list[str] = self.page.evaluate(FAINT)
        return found

    def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@pytest.fixture
def visit(chromium: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A tab of a fresh profile; parametrize indirectly with options of ``new_context``."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | getattr(request, "param", {})
    context = chromium.new_context(**options)
    visit = Visit(context.new_page(), server.address)
    yield visit
    context.close()
    assert visit.complaints == []


NAMELESS = """all => all.filter(e => (e.offsetParent || e.ownerSVGElement)
  && !(e.innerText || (e.closest('details:not([open])') ? e.textContent : '') || e.ariaLabel || e.labels?.[0]?.innerText || '').trim()).map(e => e.outerHTML)"""
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (let at = e; at; at = at.parentElement) { const c = rgba(getComputedStyle(at).backgroundColor); if (c[3] > 200) return c; } return [255, 255, 255]; };
  const faint = [];
  for (const e of document.querySelectorAll('h1, h2, h3, h4, p, span, small, b, li, mark, summary, button, a, th, td, label, dt, dd, time, text')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const drawn = Boolean(e.ownerSVGElement);
    const seen = drawn ? e.getBoundingClientRect().width > 0 : e.offsetParent;
    if (!own || !seen || e.closest('.picture, .face, .unseen')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgba(drawn ? style.fill : style.color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.push(`${e.className} ${e.textContent.slice(0, 30)} ${((a + .05) / (b + .05)).toFixed(2)}`);
  }
  return faint;
}"""

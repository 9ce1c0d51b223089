"""Takes the pictures of the page in docs/images from a running shop: `scripts/demo`, then this, in another terminal.

Needs playwright (in the extra ``dev``) and a Chromium on the PATH. Buys one product as one customer, since the
picture is to show what an action changes; use a demo shop, not a real one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CUSTOMER = {"en": 5, "zh": 7}  # of the sample: neither the longest history nor the shortest
BOUGHT = 2  # which product of the list
QUERY = "red lampshde for kitchn"  # with typos, since they are forgiven
SHOWN = "teacup saucer"  # its first find is opened


def shop(page: Page, lang: str) -> None:
    """A customer's history, the list with reasons, and the result of a purchase."""
    page.locator(".shoppers .shopper").nth(CUSTOMER[lang]).click()
    page.wait_for_selector(".card")
    page.wait_for_selector(".past .day")
    page.locator(".card .act.buy").nth(BOUGHT).click()
    page.wait_for_selector(".change-note")
    page.mouse.move(2, 2)
    page.evaluate("scrollTo(0, 0)")


def search(page: Page, out: Path, lang: str) -> None:
    """What is found for words with typos, and one find with its attributes and its neighbourhood."""
    page.fill("#search", QUERY)
    page.wait_for_selector(".found-count")
    save(page, out / f"page-search-{lang}.png")
    page.fill("#search", SHOWN)
    page.wait_for_function("words => document.querySelector('h1').textContent.includes(words)", arg=SHOWN)
    page.wait_for_selector(".found-count")
    page.locator(".card .open").first.click()
    page.wait_for_selector(".graph-drawing")
    page.set_viewport_size({"width": 1440, "height": 1500})
    save(page, out / f"page-product-{lang}.png", of=".drawer")
    page.set_viewport_size(VIEWPORT)


def take(browser: Browser, address: str, lang: str, out: Path) -> None:
    """The three views in one language."""
    page = browser.new_context(viewport=VIEWPORT, device_scale_factor=1).new_page()
    page.goto(f"{address}/?lang={lang}#shop")
    page.wait_for_selector(".card")
    shop(page, lang)
    save(page, out / f"page-{lang}.png")
    search(page, out, lang)
    for view, ready in (("evaluation", ".forest svg"), ("quality", ".bar")):
        page.goto(f"{address}/?lang={lang}#{view}")
        page.wait_for_selector(ready)
        save(page, out / f"page-{view}-{lang}.png")


def save(page: Page, path: Path, *, of: str | None = None) -> None:
    """The window, or one element of it."""
    page.wait_for_timeout(900)  # cards have glided to their places
    (page if of is None else page.locator(of)).screenshot(path=path)
    print(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://127.0.0.1:8000", help="where the shop runs")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print(
            "There is no chromium on the PATH. Install it (Debian: apt-get install chromium).",
            file=sys.stderr,
        )
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for lang in ("en", "zh"):
            take(browser, options.address, lang, options.out)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Both languages, narrow screens, long and hostile data, keys, and a server that goes away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from storewise.serve.auth import Access

pytestmark = pytest.mark.browser

VIEWS = ["#shop", "#evaluation", "#quality"]
READY = ".card, .forest svg, .bar, .report .empty"
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
LONG = "A very long title " + "of many words " * 14


def item(title: str, position: int = 0) -> dict[str, Any]:
    reason = {"kind": "taste", "product_id": None, "value": None, "text": f"Near “{title}”"}
    return {"product_id": f"{position}{title}", "position": position, "score": 1.0, "source": title, "reason": reason, "title": title,
            "category": title, "brand": title, "price_minor": 100, "currency": "GBP", "image": None, "on_hand": 3}  # fmt: skip


def answer_list(visit: Any, titles: list[str]) -> None:
    items = [item(title, i) for i, title in enumerate(titles)]
    visit.answer(
        "/v1/recommendations?*",
        {
            "decision_id": "d",
            "snapshot": titles[0],
            "slot": "home",
            "step": "full",
            "notes": titles[:1],
            "items": items,
        },
    )


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_the_language_is_switched_and_remembered(visit: Any) -> None:
    page = visit.list_of()
    assert page.locator(".tabs a").all_inner_texts() == ["Shop", "Evaluation", "Data quality"]
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.wait_for_selector(".card")
    assert page.locator(".tabs a").all_inner_texts() == ["店铺", "评估", "数据质量"]
    assert "lang=zh" in page.url
    page.goto(visit.address + "/")
    expect(page.locator(".tabs a").first).to_have_text("店铺")
    page.goto(visit.address + "/?lang=en")
    expect(page.locator(".tabs a").first).to_have_text("Shop")


@pytest.mark.parametrize("where", VIEWS)
def test_chinese_leaves_no_english_sentence(visit: Any, where: str) -> None:
    """Data (titles, model names, ids) may be Latin; the page's own words may not."""
    page = visit.open(where, lang="zh")
    page.wait_for_selector(READY)
    own = page.locator(
        "h1, h2, .lead, .button, .act, .tabs a, label, thead th, .did b, .ladder li, .quiet, .empty"
    ).all_inner_texts()
    allowed = re.compile(
        r"^(?:[\d\s.,:%–·~<>×@]|ms|NDCG|MAP|MRR|v1|retrieve\.\w+|events|products|customers|stock|light|seat|[0-9a-f]{8})*$"
    )
    english = [
        text for text in own if text.strip() and not re.search("[一-鿿]", text) and not allowed.match(text)
    ]
    assert english == []


@pytest.mark.parametrize("visit", [{"viewport": {"width": 360, "height": 740}}], indirect=True)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_narrow_screen_never_scrolls_sideways(visit: Any, lang: str) -> None:
    row = {"table": "events", "outcome": "rejected", "reason": LONG, "rows": 5, "example": "x" * 300}
    visit.answer(
        "/v1/report",
        {"rows": [row], "rejects": [{"table": "t", "line": 1, "reason": LONG, "row": "x" * 300}]},
    )
    for where in VIEWS:
        page = visit.open(where, lang=lang)
        page.wait_for_selector(READY)
        assert overflow(page) == 0, where
    answer_list(visit, [LONG, "N" * 200, "短"])
    page = visit.list_of("#shop?visitor=narrow", lang=lang)
    assert overflow(page) == 0
    page.locator(".card .open").nth(1).click()
    page.wait_for_selector(".drawer .problem, .drawer h2")
    assert overflow(page) == 0
    visit.complaints.clear()  # the product doesn't exist: the browser notes the 404


def test_data_cannot_become_markup(visit: Any) -> None:
    answer_list(visit, [HOSTILE, "harmless"])
    history = [
        {
            "at": "2024-01-01T00:00:00Z",
            "kind": HOSTILE,
            "product_id": HOSTILE,
            "title": HOSTILE,
            "quantity": 2,
            "live": True,
        }
    ]
    visit.answer(
        "/v1/sessions/*",
        {"session_id": "x", "known": False, "events": 1, "personal": False, "history": history},
    )
    visit.answer(
        "/v1/customers?*", {"items": [{"customer_id": HOSTILE, "events": 1, "last_at": None}], "total": 1}
    )
    visit.answer(
        "/v1/categories", {"items": [{"category": HOSTILE, "products": 1}, {"category": "b", "products": 1}]}
    )
    visit.answer(
        "/v1/products/*",
        {
            **item(HOSTILE),
            "active": False,
            "description": HOSTILE,
            "attributes": {HOSTILE: {"a": HOSTILE}},
            "customers": 1,
        },
    )
    visit.answer(
        "/v1/products/*/*",
        {"product_id": "x", "items": [{**item(HOSTILE), "score": 1, "baskets": 1, "lift": 2.0}]},
    )
    page = visit.list_of("#shop?visitor=x")
    expect(page.locator(".card .open").first).to_have_text(HOSTILE)
    page.locator(".card .open").first.click()
    expect(page.locator("#product-title")).to_have_text(HOSTILE)
    expect(page.locator(".rows li")).to_have_count(2)
    page.keyboard.press("Escape")
    figures = {
        "ndcg@10": {"value": 0.1, "low": 0.0, "high": 0.2},
        HOSTILE: {"value": 0.1, "low": 0.0, "high": 0.2},
    }
    rows = [{"model": HOSTILE, "selected": True, "role": HOSTILE, "seconds": 1, "metrics": figures}]
    visit.answer("/v1/evaluation", {"snapshot": "s", "reason": HOSTILE, "rows": rows, "benchmarks": []})
    visit.answer("/v1/report", {"rows": [{"table": HOSTILE, "outcome": HOSTILE, "reason": HOSTILE, "rows": 1, "example": HOSTILE}],
                                "rejects": [{"table": HOSTILE, "line": 1, "reason": HOSTILE, "row": HOSTILE}]})  # fmt: skip
    for where in ("#evaluation", "#quality"):
        page.goto(f"{visit.address}/?lang=en{where}")
        page.wait_for_selector("table")
        assert HOSTILE in page.locator("main").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


def test_an_inline_script_would_not_run(visit: Any) -> None:
    page = visit.list_of()
    for attempt in (
        "document.body.setAttribute('onclick', 'window.hacked = 1')",
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))",
    ):
        with pytest.raises(Error, match="Trusted"):
            page.evaluate(attempt)
    assert page.evaluate("window.hacked") is None
    assert len(visit.complaints) == 3
    visit.complaints.clear()


def test_a_history_of_a_thousand_rows_is_shown_in_steps(visit: Any) -> None:
    days = [f"2023-{12 - i // 28:02d}-{28 - i % 28:02d}" for i in range(250)]
    rows = [
        {
            "at": f"{days[i // 4]}T10:00:00Z",
            "kind": "purchase",
            "product_id": f"p{i % 40:02d}",
            "title": f"{LONG}{i}",
            "quantity": 1,
            "live": False,
        }
        for i in range(1000)
    ]
    visit.page.route("**/v1/customers/long?*", lambda route: route.fulfill(
        json={"customer_id": "long", "known": True, "events": 2500, "personal": True, "history": rows[: int(route.request.url.split("n=")[1])]}))  # fmt: skip
    page = visit.list_of("#shop?customer=long")
    assert page.locator(".past .day").count() == 12
    page.locator(".line-more button").click()
    assert page.locator(".past .day").count() == 24
    page.locator(".older").click()
    expect(page.locator(".past .hint")).to_contain_text("1,000")
    while page.locator(".line-more").count():
        page.locator(".line-more button").click()
    assert page.locator(".past .day").count() == 250
    assert page.locator(".basket li").count() == 1000
    assert overflow(page) == 0


def test_a_server_that_goes_away_is_missed_and_welcomed_back(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=gone")
    page.context.set_offline(True)
    page.locator(".card .act.buy").first.click()
    expect(page.locator(".notice.bad")).to_contain_text("doesn’t answer")
    expect(page.locator(".failed").first).to_contain_text("doesn’t answer")
    expect(page.locator(".card")).to_have_count(12)
    page.locator(".tabs a").nth(2).click()
    expect(page.locator(".problem")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".notice.bad")).to_have_count(0)
    page.wait_for_selector(".report .empty")
    assert all("ERR_INTERNET_DISCONNECTED" in one for one in visit.complaints)
    visit.complaints.clear()


def test_before_anything_is_published_the_page_says_what_to_do(visit: Any) -> None:
    error = {
        "type": "NothingPublished",
        "problem": "No snapshot serves yet.",
        "next_step": "Run storewise publish.",
    }
    visit.answer("/v1/**", {"error": error}, status=503)
    page = visit.open("#evaluation")
    expect(page.locator(".problem")).to_contain_text("Nothing is published yet")
    expect(page.locator(".problem")).to_contain_text("Run storewise publish.")
    visit.complaints.clear()


def test_a_server_with_a_key_asks_for_it(chromium: Browser, shop: Path, open_server: Any) -> None:
    key = "correct horse battery staple"
    with open_server(shop, access=Access(key=key.replace(" ", "-").encode())) as server:
        page = chromium.new_page()
        page.goto(server.address + "/?lang=en#quality")
        expect(page.locator(".key")).to_contain_text("asks for a key")
        page.fill("#key", key.replace(" ", "-"))
        page.keyboard.press("Enter")
        page.wait_for_selector(".empty")
        page.reload()
        page.wait_for_selector(".empty")
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_to_press_has_a_name_and_enough_contrast(visit: Any, scheme: str) -> None:
    visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for where in VIEWS:
        page = visit.open(where)
        page.wait_for_selector(READY)
        assert visit.nameless() == []
        assert visit.faint() == []

"""Search, attributes with their places, and the neighbourhood in the graph."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

FACTS = {
    "category": "light",
    "brand": None,
    "price_minor": 100,
    "currency": "GBP",
    "image": None,
    "on_hand": None,
}
SPANS = [(5, 7, "volume", "三升"), (8, 11, "colour", "red"), (8, 17, "material", "red steel")]


def api(visit: Any, path: str) -> Any:
    with urllib.request.urlopen(visit.address + path) as answer:
        return json.load(answer)


def test_a_search_shows_the_servers_finds_with_why_and_escape_leaves_it(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=search")
    page.fill("#search", "blue chiar")
    expect(page.locator("h1")).to_contain_text("blue chiar")
    page.wait_for_selector(".found-count")
    wanted = api(visit, "/v1/search?q=blue%20chiar&n=24&lang=en")
    assert page.locator(".card .reason").all_inner_texts() == [
        one["reason"]["text"] for one in wanted["items"]
    ]
    expect(page.locator(".answered")).to_contain_text("“chiar” read as “chair”")
    page.press("#search", "Escape")
    expect(page.locator("h1")).to_have_text("For a new visitor")
    expect(page.locator("#search")).to_have_value("")


def test_an_old_answer_never_takes_the_place_of_a_newer_one(visit: Any) -> None:
    held: list[Any] = []
    page = visit.list_of("#shop?visitor=races")
    page.route("**/v1/search?q=lamp&*", lambda route: held.append(route))
    with page.expect_request("**/v1/search?q=lamp&*"):
        page.fill("#search", "lamp")
    page.fill("#search", "chair")
    expect(page.locator(".card .open").first).to_contain_text("chair")
    with page.expect_response("**/v1/search?q=lamp&*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert all("chair" in title for title in page.locator(".card .open").all_inner_texts())


def test_nothing_found_says_what_to_try_and_the_filters_hold(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=nothing")
    page.fill("#price-max", "0.01")
    expect(page.locator(".list .empty")).to_be_visible()
    page.fill("#search", "lamp")
    expect(page.locator(".list .empty")).to_contain_text("Nothing found for “lamp”")
    expect(page.locator(".list .empty")).to_contain_text("filters apply")
    page.locator(".list .empty .button").first.click()
    expect(page.locator(".card .open").first).to_contain_text("lamp")


def test_spans_are_counted_in_code_points_and_may_overlap(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=spans")
    read = [
        {"name": name, "value": raw, "unit": None, "raw": raw, "field": "title", "start": start, "end": end, "confidence": 0.42, "method": "rule"}
        for start, end, name, raw in SPANS
    ]  # fmt: skip
    one = {
        "product_id": "L",
        "title": "保温壶🔥 三升 red steel",
        "active": True,
        "description": None,
        "customers": 1,
    }
    visit.answer(
        "/v1/products/*/*", {"product_id": "L", "graph": True, "nodes": [], "edges": [], "items": []}
    )
    visit.answer("/v1/products/*", {**FACTS, **one, "attributes": {"season": "winter"}, "extracted": read})
    page.locator(".card .open").first.click()
    expect(page.locator("#product-title mark")).to_have_text(["三升", "red", " steel"])
    assert page.locator("#product-title").inner_text() == one["title"]
    page.locator("#product-title mark").nth(1).focus()
    expect(page.locator(".attributes tr.lit")).to_have_count(2)
    expect(page.locator(".attributes tbody tr")).to_have_count(4)
    expect(page.locator(".attributes tbody tr").first).to_contain_text("42% sure")
    expect(page.locator(".attributes tbody tr").last).to_contain_text("given by the shop")


def test_the_neighbourhood_is_drawn_listed_and_leads_on(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=graph")
    product = page.locator(".card").first.get_attribute("data-id")
    page.locator(".card .open").first.click()
    given = api(visit, f"/v1/products/{product}/graph?n=6")
    ends = {
        edge["target"] if edge["source"] == f"product:{product}" else edge["source"]
        for edge in given["edges"]
    }
    expect(page.locator(".graph-node")).to_have_count(len(ends))
    assert page.locator(".links li").count() == len(given["edges"])
    assert page.locator(".graph-edge").count() == len(ends)


def test_without_links_nothing_is_drawn(visit: Any) -> None:
    visit.answer("/v1/products/*/graph?*", {"product_id": "x", "graph": True, "nodes": [], "edges": []})
    page = visit.list_of("#shop?visitor=alone")
    page.locator(".card .open").first.click()
    expect(page.locator(".related.graph")).to_contain_text("Nothing is linked")
    assert page.locator(".graph-drawing").count() == 0


def test_new_products_and_rules_are_said(visit: Any) -> None:
    reason = {"kind": "similar_content", "product_id": "p01", "value": None, "text": "Similar to “Lamp”"}
    items = [
        {**FACTS, "product_id": f"q{i}", "title": f"Lamp {i}", "position": i, "score": 1.0, "source": source, "reason": reason}
        for i, source in enumerate(["retrieve.item_knn.v1", "retrieve.content.v1"])
    ]  # fmt: skip
    rules = [{"rule": "a", "action": "forbid", "products": 3, "text": "No chairs"}, {"rule": "b", "action": "avoid", "products": 0, "text": "x"}]  # fmt: skip
    visit.answer("/v1/recommendations?*", {"decision_id": "d", "snapshot": "s", "slot": "home", "step": "full", "notes": [], "rules": rules, "items": items})  # fmt: skip
    page = visit.list_of("#shop?visitor=new")
    assert page.locator(".tag.new").count() == 1
    expect(page.locator('[data-id="q1"]')).to_contain_text("New product")
    page.locator(".rules summary").click()
    expect(page.locator(".rules li")).to_have_text(["No chairs 3 held back"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_search_and_a_products_drawer_have_names_and_enough_contrast(
    visit: Any, scheme: str, lang: str
) -> None:
    visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page = visit.list_of("#shop?visitor=contrast", lang=lang)
    page.fill("#search", "blue chiar")
    page.wait_for_selector(".found-count")
    assert (visit.nameless(), visit.faint()) == ([], [])
    page.locator(".card .open").first.click()
    page.wait_for_selector("table.attributes")
    page.wait_for_selector(".graph-drawing")
    assert page.locator("mark.span").count() > 0
    assert (visit.nameless(), visit.faint()) == ([], [])
    described = page.locator("[aria-describedby], [aria-labelledby], [aria-controls]").evaluate_all(
        "all => all.flatMap(e => ['aria-describedby', 'aria-labelledby', 'aria-controls']"
        ".flatMap(a => (e.getAttribute(a) ?? '').split(' ').filter(Boolean)).filter(id => !document.getElementById(id)))"
    )
    assert described == []
    page.keyboard.press("Escape")
    page.fill("#search", "qwxzv")
    page.wait_for_selector(".list .empty")
    assert (visit.nameless(), visit.faint()) == ([], [])


@pytest.mark.parametrize("visit", [{"viewport": {"width": 360, "height": 760}}], indirect=True)
@pytest.mark.parametrize("title", ["long " * 60, "长" * 300, "x" * 300])
def test_a_title_of_300_characters_fits_a_narrow_screen(visit: Any, title: str) -> None:
    page = visit.list_of("#shop?visitor=long")
    one = api(visit, "/v1/search?q=lamp&n=1")["items"][0]
    visit.answer(
        "/v1/search?*",
        {"query": "lamp", "total": 1, "words": [], "notes": [], "items": [{**one, "title": title}]},
    )
    visit.answer(
        f"/v1/products/{one['product_id']}",
        api(visit, f"/v1/products/{one['product_id']}") | {"title": title, "extracted": []},
    )
    page.fill("#search", "lamp")
    page.wait_for_selector(".found-count")
    assert visit.sideways() == 0
    assert page.locator(".card").first.bounding_box()["height"] < 500
    page.locator(".card .open").first.click()
    page.wait_for_selector("#product-title.long")
    drawer = page.locator(".drawer")
    assert drawer.evaluate("e => e.scrollWidth - e.clientWidth") == 0
    assert page.locator("#product-title").bounding_box()["height"] < 420

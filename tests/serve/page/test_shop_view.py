"""The shop view: a shopper, the list with reasons, and what changes when the shopper acts."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def api(visit: Any, path: str) -> Any:
    with urllib.request.urlopen(visit.address + path) as answer:
        return json.load(answer)


def ids(page: Page) -> list[str]:
    found: list[str] = page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.id)")
    return found


def first_customers(visit: Any) -> list[str]:
    return [one["customer_id"] for one in api(visit, "/v1/customers")["items"]]


def act(page: Page, product: str, kind: str) -> None:
    """Press a button of a card and wait until the page says what came of it."""
    page.evaluate("document.querySelector('.change').replaceChildren()")
    page.locator(f'.card[data-id="{product}"] [data-act="{kind}"]').click()
    page.wait_for_selector(".change-note")


def test_a_picked_customer_gets_the_servers_list_with_reasons(visit: Any) -> None:
    page = visit.list_of()
    customer = first_customers(visit)[3]
    with page.expect_response(lambda r: "/v1/recommendations" in r.url and customer in r.url):
        page.locator(f'.shopper[data-id="{customer}"]').click()
    expect(page.locator("h1")).to_contain_text(customer[:8])
    expected = api(visit, f"/v1/recommendations?customer={customer}&n=12")["items"]
    page.wait_for_function("n => document.querySelectorAll('.card').length === n", arg=len(expected))
    assert ids(page) == [item["product_id"] for item in expected]
    assert page.locator(".card .reason").all_inner_texts() == [item["reason"]["text"] for item in expected]
    assert page.locator(".card .price").all_inner_texts() == [
        f"£{item['price_minor'] / 100:,.2f}" for item in expected
    ]
    assert page.locator('.shopper[aria-pressed="true"]').get_attribute("data-id") == customer
    assert customer in page.url


def test_the_history_is_the_customers_own_newest_first(visit: Any) -> None:
    customer = first_customers(visit)[0]
    page = visit.list_of(f"#shop?customer={customer}")
    rows = api(visit, f"/v1/customers/{customer}?n=100")["history"]
    days = list(dict.fromkeys(row["at"][:10] for row in rows))
    shown = page.locator(".past .day").count()
    assert shown == min(len(days), 12)
    assert str(int(days[0][8:])) in page.locator(".past .day h3").first.inner_text()
    newest = rows[0]
    assert newest["title"] in page.locator(".past .day").first.inner_text()


def test_buying_changes_the_list_and_the_page_says_how(visit: Any) -> None:
    customer = first_customers(visit)[1]
    page = visit.list_of(f"#shop?customer={customer}")
    before = ids(page)
    act(page, before[2], "purchase")
    after = ids(page)
    assert after != before
    assert after == [
        i["product_id"] for i in api(visit, f"/v1/recommendations?customer={customer}&n=12")["items"]
    ]
    new = set(after) - set(before)
    moved = {one for one in after if one in before and after.index(one) != before.index(one)}
    said = page.locator(".change-note").inner_text()
    assert (f"{len(new)} new" in said) == bool(new)
    assert (f"{len(moved)} moved" in said) == bool(moved)
    assert new | moved
    assert re.search(r"stored in [\d.]+ ms, new list in [\d.]+ ms", said)
    assert set(page.locator(".card.fresh").evaluate_all("c => c.map(x => x.dataset.id)")) == new
    assert page.locator(".badge:not(.fresh)").count() == len(moved)
    live = page.locator(".past .day.live")
    assert "Bought" in live.inner_text()
    stored = api(visit, f"/v1/customers/{customer}")["history"][0]
    assert (stored["product_id"], stored["kind"], stored["live"]) == (before[2], "purchase", True)


def test_a_visitor_starts_with_what_is_popular_and_teaches_the_list(visit: Any) -> None:
    page = visit.list_of()
    page.locator(".visitor").click()
    expect(page.locator("h1")).to_have_text("For a new visitor")
    expect(page.locator(".past .empty")).to_be_visible()
    popular = [
        i["product_id"] for i in api(visit, "/v1/recommendations?session=never-seen-here&n=12")["items"]
    ]
    page.wait_for_function("want => JSON.stringify([...document.querySelectorAll('.card')].map(c => c.dataset.id)) === want",
                           arg=json.dumps(popular, separators=(",", ":")))  # fmt: skip
    act(page, popular[4], "view")
    assert ids(page) != popular
    assert "Bought with" in " ".join(page.locator(".reason").all_inner_texts())
    address = page.url
    page.reload()
    page.wait_for_selector(".past .day.live")
    assert page.url == address
    page.locator(".visitor").click()
    expect(page.locator(".past .empty")).to_be_visible()
    assert page.url != address


def test_the_focus_stays_on_the_product_that_was_pressed(visit: Any) -> None:
    page = visit.list_of(f"#shop?customer={first_customers(visit)[2]}")
    product = ids(page)[1]
    act(page, product, "view")
    where = page.evaluate(
        "[document.activeElement.closest('[data-id]')?.dataset.id, document.activeElement.dataset.act]"
    )
    assert where == ([product, "view"] if product in ids(page) else [None, None])


def test_filters_are_the_servers_and_an_empty_list_can_be_left(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=filters")
    with page.expect_response(lambda r: "price_max=1200" in r.url):
        page.fill("#price-max", "12")
    page.wait_for_function(
        "[...document.querySelectorAll('.card .price')].every(p => Number(p.textContent.slice(1)) <= 12)"
    )
    with page.expect_response(lambda r: "category=light" in r.url):
        page.select_option("#category", "light")
    expect(page.locator(".card .category").first).to_have_text("Light")
    assert set(page.locator(".card .category").all_inner_texts()) == {"Light"}
    page.fill("#price-max", "0.01")
    expect(page.locator(".list .empty")).to_contain_text("No product fits")
    page.locator(".list .empty .button").click()
    expect(page.locator(".card")).to_have_count(12)
    page.fill("#price-min", "cheap")
    expect(page.locator("#price-min")).to_have_attribute("aria-invalid", "true")


def test_a_customer_is_found_by_id_and_an_unknown_id_is_no_error(visit: Any) -> None:
    page = visit.list_of()
    wanted = first_customers(visit)[5]
    page.fill("#find", wanted[:12])
    expect(page.locator(".shoppers .shopper")).to_have_count(1)
    page.press("#find", "Enter")
    expect(page.locator("h1")).to_contain_text(wanted[:8])
    page.fill("#find", "nobody-at-all")
    page.get_by_role("button", name="nobody-at-all").click()
    expect(page.locator(".past")).to_contain_text("never seen")
    expect(page.locator(".card")).to_have_count(12)


def test_a_product_opens_with_what_goes_with_it(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=drawer")
    product = ids(page)[0]
    opener = page.locator(f'.card[data-id="{product}"] .open')
    opener.click()
    together = api(visit, f"/v1/products/{product}/bought-together?n=8")["items"]
    similar = api(visit, f"/v1/products/{product}/similar?n=8")["items"]
    expect(page.locator(".related.goods").nth(0).locator("li")).to_have_count(len(together))
    expect(page.locator(".related.goods").nth(1).locator("li")).to_have_count(len(similar))
    assert together[0]["title"] in page.locator(".related.goods").nth(0).inner_text()
    page.locator(".related.goods").nth(0).get_by_role("button").first.click()
    expect(page.locator("#product-title")).to_have_text(together[0]["title"])
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#product-title")).to_contain_text(opener.inner_text())
    page.locator(".drawer .act.buy").click()
    expect(page.locator(".recorded")).to_contain_text("Recorded")
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).not_to_be_visible()
    expect(page.locator(".past .day.live")).to_contain_text("Bought")


def test_the_shopper_is_kept_while_other_views_are_open(visit: Any) -> None:
    page = visit.list_of()
    customer = first_customers(visit)[6]
    page.locator(f'.shopper[data-id="{customer}"]').click()
    expect(page.locator("h1")).to_contain_text(customer[:8])
    page.locator(".tabs a").nth(1).click()
    page.wait_for_selector(".forest svg")
    page.locator(".tabs a").nth(0).click()
    expect(page.locator("h1")).to_contain_text(customer[:8])
    expect(page.locator(f'.shopper[data-id="{customer}"]')).to_have_attribute("aria-pressed", "true")


def test_returned_products_are_marked(visit: Any) -> None:
    rows = [
        {"at": "2024-03-02T10:00:00Z", "kind": "return", "product_id": "p01", "title": "Blue lamp", "quantity": 1, "live": False},
        {"at": "2024-03-01T10:00:00Z", "kind": "purchase", "product_id": "p01", "title": "Blue lamp", "quantity": 1, "live": False},
        {"at": "2024-03-01T10:00:00Z", "kind": "purchase", "product_id": "p02", "title": "Red lamp", "quantity": 3, "live": False},
        {"at": "2024-02-01T10:00:00Z", "kind": "purchase", "product_id": "p01", "title": "Blue lamp", "quantity": 1, "live": False},
    ]  # fmt: skip
    visit.answer(
        "/v1/customers/somebody?*",
        {"customer_id": "somebody", "known": True, "events": 4, "personal": True, "history": rows},
    )
    page = visit.list_of("#shop?customer=somebody")
    assert page.locator(".past .day").count() == 3
    assert page.locator(".taken-back").count() == 1
    marked = page.locator(".past .day").nth(1).locator(".taken-back")
    assert marked.locator("button, .tag").all_inner_texts() == ["Blue lamp", "returned"]
    assert "×3" in page.locator(".past .day").nth(1).inner_text()


def test_any_product_is_found_by_its_words(visit: Any) -> None:
    page = visit.list_of("#shop?visitor=finder")
    page.fill("#product-find", "chair 33")
    wanted = api(visit, "/v1/products?q=chair%2033")["items"]
    assert [one["title"] for one in wanted] == ["Blue chair 33"]
    expect(page.locator(".found button span")).to_have_text(["Blue chair 33"])
    page.keyboard.press("ArrowDown")
    expect(page.locator(".found button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#product-title")).to_have_text("Blue chair 33")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#product-find")).to_be_focused()
    expect(page.locator(".found")).not_to_be_visible()
    page.fill("#product-find", "lamp 1")
    expect(page.locator(".found button").first).to_contain_text("lamp 1")
    page.keyboard.press("Enter")
    expect(page.locator("#product-title")).to_contain_text("lamp 1")
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("Escape")
    page.fill("#product-find", "nothing has these words")
    expect(page.locator(".found")).to_contain_text("No title or id has these words.")
    page.keyboard.press("Escape")
    expect(page.locator(".found")).not_to_be_visible()

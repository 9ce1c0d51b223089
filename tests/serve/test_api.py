"""The HTTP surface on the small shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from storewise.core import errors
from storewise.serve.app import create_app
from storewise.serve.errors import STATUS, status_of
from storewise.testing import small_shop

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def client(shop: Path) -> Iterator[TestClient]:
    with TestClient(create_app(small_shop.open_service(shop)), base_url=BASE) as found:
        yield found


def names(answer: Any) -> list[str]:
    return [item["product_id"] for item in answer.json()["items"]]


def test_a_list_has_everything_that_is_promised(client: TestClient) -> None:
    answer = client.get("/v1/recommendations", params={"customer": "c000", "n": 3})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["step"], found["slot"], found["notes"], len(found["items"])) == ("full", "home", [], 3)
    item = found["items"][0]
    assert set(item) == {
        "product_id", "position", "score", "source", "reason", "title", "category", "brand", "price_minor",
        "currency", "image", "on_hand",
    }  # fmt: skip
    assert item["reason"]["text"].startswith("Bought with “")
    assert item["reason"]["product_id"].startswith("p")
    assert [one["position"] for one in found["items"]] == [0, 1, 2]


def test_reasons_speak_chinese_when_asked(client: TestClient) -> None:
    told = client.get("/v1/recommendations", params={"customer": "c000", "lang": "zh"}).json()
    assert told["items"][0]["reason"]["text"].startswith("常与“")
    header = client.get("/v1/recommendations?customer=nobody", headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert "位顾客购买过" in header.json()["items"][0]["reason"]["text"]


def test_filters_come_through(client: TestClient) -> None:
    asked = {"n": 40, "category": "seat", "attribute": "colour:red", "price_min": 2400, "price_max": 3200}
    assert set(names(client.get("/v1/recommendations", params=asked))) == {"p24", "p26", "p28", "p30"}
    few = client.get("/v1/recommendations", params=[*asked.items(), ("exclude", "p24"), ("exclude", "p26")])
    assert set(names(few)) == {"p28", "p30"}
    assert names(client.get("/v1/recommendations?in_stock=true")) == ["p05"]


@pytest.mark.parametrize("who", [{"customer": "c000"}, {"customer": "new"}, {"session": "visit"}])
def test_an_event_changes_the_next_list(client: TestClient, who: dict[str, str]) -> None:
    before = names(client.get("/v1/recommendations", params=who))
    sent = client.post("/v1/events", json={"kind": "click", "product_id": "p33", **who})
    assert (sent.status_code, sent.json()["accepted"]) == (200, 1)
    assert names(client.get("/v1/recommendations", params=who)) != before


def test_an_event_counts_once(client: TestClient) -> None:
    event = {"event_id": "e-1", "kind": "view", "product_id": "p33", "session": "visit"}
    first = client.post("/v1/events", json=event).json()
    again = client.post("/v1/events", json={"events": [event, event]}).json()
    assert (first["accepted"], first["duplicates"]) == (1, 0)
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert client.get("/v1/sessions/visit").json()["events"] == 1


def test_a_batch_keeps_its_good_events(client: TestClient) -> None:
    good = {"kind": "view", "product_id": "p33", "session": "visit"}
    sent = client.post("/v1/events", json={"events": [good, {**good, "kind": "look"}, 7]})
    assert sent.status_code == 200
    assert sent.json()["accepted"] == 1
    assert [one["index"] for one in sent.json()["rejected"]] == [1, 2]
    none = client.post("/v1/events", json={"events": [7]})
    assert none.status_code == 422
    assert none.json()["rejected"][0]["index"] == 0


@pytest.mark.parametrize(
    ("send", "status", "told"),
    [
        ({"json": {"kind": "view", "product_id": "nix", "session": "s"}}, 422, "no product 'nix'"),
        ({"json": {"kind": "view", "product_id": "p01"}}, 422, "neither customer nor session"),
        ({"json": {"events": [{}] * 1001}}, 413, "1001 events"),
        ({"json": {"events": [], "more": 1}}, 422, "one key 'events'"),
        ({"json": []}, 422, "must be an object"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "not JSON"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 422, "text/plain"),
        ({"content": b" " * (1 << 21), "headers": {"Content-Type": "application/json"}}, 413, "limit"),
    ],
)
def test_a_bad_body_is_refused_in_words(client: TestClient, send: Any, status: int, told: str) -> None:
    answer = client.post("/v1/events", **send)
    assert answer.status_code == status
    assert told in answer.json()["error"]["problem"]
    assert answer.json()["error"]["next_step"]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/recommendations?custmer=1", 422, "did you mean 'customer'"),
        ("/v1/recommendations?n=0", 422, "'n' is '0'"),
        ("/v1/recommendations?n=101", 422, "'n' is '101'"),
        ("/v1/recommendations?price_min=-1", 422, "price_min"),
        ("/v1/recommendations?price_min=5&price_max=4", 422, "above price_max"),
        ("/v1/recommendations?attribute=red", 422, "must be name:value"),
        ("/v1/recommendations?lang=fr", 422, "'lang' is 'fr'"),
        ("/v1/recommendations?customer=", 422, "customer"),
        ("/v1/products/nix", 404, "no product 'nix'"),
        ("/v1/products/nix/similar", 404, "no product 'nix'"),
        ("/v1/popular?category=nix", 404, "no category 'nix'"),
        ("/v1/nothing", 404, "nothing at"),
    ],
)
def test_a_bad_request_is_refused_in_words(client: TestClient, path: str, status: int, told: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"type", "problem", "next_step"}
    assert told in answer.json()["error"]["problem"]


def test_a_wrong_method_is_refused_in_words(client: TestClient) -> None:
    answer = client.delete("/v1/events")
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "InputError")


def test_products_are_found_by_any_part_of_any_word(client: TestClient) -> None:
    found = client.get("/v1/products", params={"q": "LAM re", "n": 3}).json()
    assert found["total"] == 10
    assert all(item["title"].startswith("Red lamp") for item in found["items"])
    assert [item["product_id"] for item in client.get("/v1/products?q=p33").json()["items"]] == ["p33"]
    assert client.get("/v1/products?q=(").json() == {"items": [], "total": 0}
    assert len(client.get("/v1/products?n=5").json()["items"]) == 5


def test_search_forgives_and_tells_why(client: TestClient) -> None:
    found = client.get("/v1/search", params={"q": "blue chairs 33", "n": 3}).json()
    assert (found["items"][0]["title"], found["items"][0]["reason"]["kind"]) == ("Blue chair 33", "words")
    assert "“chair”" in found["items"][0]["reason"]["text"]
    typo = client.get("/v1/search", params={"q": "chiar", "lang": "zh", "n": 2}).json()
    assert all(item["category"] == "seat" for item in typo["items"])
    assert typo["items"][0]["reason"]["matches"][0]["how"] == "corrected"
    assert typo["items"][0]["reason"]["text"] == "标题含“chair”（“chiar”）"
    assert names(client.get("/v1/search", params={"q": "p05"})) == ["p05"]


def test_search_keeps_to_filters_and_hides_what_may_not_be_shown(client: TestClient) -> None:
    every = client.get("/v1/search", params={"q": "lamp", "n": 100}).json()
    shown = {item["product_id"] for item in every["items"]}
    assert shown.isdisjoint({small_shop.SOLD_OUT, small_shop.INACTIVE})
    assert len(shown) == every["total"]
    some = {"q": "lamp", "price_min": 600, "price_max": 900, "attribute": "colour:red", "category": "light"}
    assert set(names(client.get("/v1/search", params=some))) == {"p06", "p08"}
    assert (
        names(
            client.get("/v1/search", params={"q": "chair", "category": "light", "attribute": "colour:green"})
        )
        == []
    )


@pytest.mark.parametrize(
    "q", ["🎧🎧", "'; DROP TABLE products; --", "红色 lamp", "lamp\x00", "%", "a b " * 200, "<script>"]
)
def test_any_text_is_a_normal_query(client: TestClient, q: str) -> None:
    assert client.get("/v1/search", params={"q": q}).status_code == 200


def test_a_search_for_a_whole_book_is_refused_with_the_limit(client: TestClient) -> None:
    answer = client.get("/v1/search", params={"q": "x" * 50_000})
    assert answer.status_code == 413
    assert answer.json()["error"]["problem"] == "The query has 50,000 characters."
    assert "1,000" in answer.json()["error"]["next_step"]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, "q is empty"),
        ({"q": "  "}, "q is empty"),
        ({"q": "lamp", "n": 0}, "'n' is"),
        ({"q": "lamp", "sort": "price"}, "'sort' is not a known key"),
        ({"q": "lamp", "price_min": 2, "price_max": 1}, "above price_max"),
        ({"q": "lamp", "attribute": "red"}, "name:value"),
    ],
)
def test_a_bad_search_is_refused_in_words(client: TestClient, params: dict[str, Any], told: str) -> None:
    answer = client.get("/v1/search", params=params)
    assert answer.status_code == 422
    assert told in answer.json()["error"]["problem"] + answer.json()["error"]["next_step"]


def test_a_product_and_its_relatives(client: TestClient) -> None:
    one = client.get("/v1/products/p05").json()
    assert (one["title"], one["on_hand"], one["attributes"]) == ("Blue lamp 5", 7, {"colour": "blue"})
    assert one["customers"] > 0
    together = client.get("/v1/products/p01/bought-together?n=5").json()["items"]
    assert together
    assert all(item["baskets"] >= 3 and item["lift"] > 1 for item in together)
    similar = client.get("/v1/products/p01/similar?n=5").json()["items"]
    assert [item["score"] for item in similar] == sorted((i["score"] for i in similar), reverse=True)
    assert all(item["product_id"] < "p20" for item in similar)
    assert not {small_shop.SOLD_OUT, small_shop.INACTIVE} & {i["product_id"] for i in together + similar}


def test_popular_products_and_categories(client: TestClient) -> None:
    popular = client.get("/v1/popular?category=seat&n=4").json()
    assert [item["category"] for item in popular["items"]] == ["seat"] * 4
    counts = [item["customers"] for item in popular["items"]]
    assert counts == sorted(counts, reverse=True)
    categories = client.get("/v1/categories").json()["items"]
    assert categories == [{"category": "light", "products": 19}, {"category": "seat", "products": 20}]


def test_customers_are_pseudonyms_and_both_ids_work(client: TestClient) -> None:
    listed = client.get("/v1/customers?n=10").json()["items"]
    assert len(listed) == len({one["customer_id"] for one in listed}) == 10
    assert all(len(one["customer_id"]) == 32 and one["events"] > 0 for one in listed)
    own = client.get("/v1/customers/c000").json()
    assert own["known"]
    assert own["events"] == len(own["history"]) > 3
    assert "c000" not in orjson.dumps(own).decode()
    assert client.get(f"/v1/customers/{own['customer_id']}").json() == own
    assert client.get("/v1/customers?q=c000").json()["items"][0]["customer_id"] == own["customer_id"]
    prefix = client.get("/v1/customers", params={"q": own["customer_id"][:6]}).json()["items"]
    assert own["customer_id"] in [one["customer_id"] for one in prefix]
    lists = [names(client.get(f"/v1/recommendations?customer={c}")) for c in ("c000", own["customer_id"])]
    assert lists[0] == lists[1]


def test_an_unknown_customer_is_a_normal_one(client: TestClient) -> None:
    found = client.get("/v1/customers/nobody").json()
    assert (found["known"], found["events"], found["history"]) == (False, 0, [])
    client.post("/v1/events", json={"kind": "purchase", "product_id": "p33", "customer": "nobody"})
    after = client.get(f"/v1/customers/{found['customer_id']}").json()
    assert (after["known"], after["events"], after["history"][0]["live"]) == (False, 1, True)
    assert after["history"][0]["title"] == "Blue chair 33"
    assert after["history"][0]["category"] == "seat"


def test_what_it_knows_of_itself(client: TestClient) -> None:
    snapshot = client.get("/v1/snapshot").json()
    assert snapshot["snapshot"].startswith("home-20240719T")
    assert set(snapshot["artifacts"]) == small_shop.ROLES
    assert snapshot["content"]["encoder"].startswith("encode.")
    assert snapshot["content"]["note"]
    evaluation = client.get("/v1/evaluation").json()
    assert evaluation["snapshot"] == snapshot["snapshot"]
    assert {row["role"] for row in evaluation["rows"]} == {"candidate", "popularity"}
    assert client.get("/v1/report").status_code == 200
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["snapshot"] == snapshot["snapshot"]
    client.get("/v1/products/p05")
    figures = client.get("/metrics").text
    assert 'storewise_requests_total{route="/v1/products/{product_id}",status="200"} 1.0' in figures
    assert "storewise_ready 1.0" in figures


def test_nothing_published_is_said_so(tmp_path: Path) -> None:
    small_shop.open_store(tmp_path / "shop").close()
    with TestClient(create_app(small_shop.open_service(tmp_path / "shop")), base_url=BASE) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/readyz", "/v1/recommendations", "/v1/popular"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "storewise publish" in answer.json()["error"]["next_step"]
        # Events are taken all the same: they must not be lost because no model is there yet.
        sent = client.post("/v1/events", json={"kind": "view", "product_id": "p01", "session": "s"})
        assert sent.json()["accepted"] == 1


def test_the_documentation_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("http://127.0.0.1", "").replace("<!-- ", "")
    described = client.get("/openapi.json").json()["paths"]
    written = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for path in described:
        assert path.split("{")[0].rstrip("/") in written, f"docs/api.md does not tell of {path}"


def test_every_error_has_a_status() -> None:
    def walk(kind: type[errors.StorewiseError]) -> Iterator[type[errors.StorewiseError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from walk(below)

    found = {
        k: status_of(k.__new__(k)) for k in walk(errors.StorewiseError) if k.__module__ == errors.__name__
    }
    assert found[errors.ConfigError] == found[errors.DataError] == 422
    assert found[errors.NothingPublished] == found[errors.StoreError] == 503
    assert set(STATUS) <= set(found)
    assert all(400 <= status < 600 for status in found.values())


def test_a_product_tells_what_its_text_says(client: TestClient) -> None:
    told = client.get("/v1/products/p01").json()
    colour = next(value for value in told["extracted"] if value["name"] == "colour")
    assert colour["method"] == "given"
    assert (colour["value"], colour["field"], told["title"][colour["start"] : colour["end"]]) == (
        "blue",
        "title",
        "Blue",
    )
    assert set(colour) == {"name", "value", "unit", "raw", "field", "start", "end", "confidence", "method"}
    chinese = names(client.get("/v1/recommendations", params={"n": 40, "attribute": "颜色:蓝色"}))
    english = names(client.get("/v1/recommendations", params={"n": 40, "attribute": "colour:blue"}))
    assert chinese == english
    assert len(english) > 10

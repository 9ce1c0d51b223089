"""``GET /v1/predictions`` and what ``/v1/evaluation`` says of predictors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from storewise.serve.app import create_app
from storewise.testing import small_shop


@pytest.fixture(scope="module")
def client(trained_shop: Path) -> Iterator[TestClient]:
    service = small_shop.open_service(trained_shop)
    with TestClient(create_app(service), base_url="http://127.0.0.1:8000") as found:
        yield found


def test_a_customer_and_a_product(client: TestClient) -> None:
    answer = client.get("/v1/predictions", params={"customer": "c001", "product": "p25"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["known"] is True
    by_name = {found["target"]: found for found in told["predictions"]}
    assert set(by_name) == {"purchase", "churn", "product"}
    found = by_name["product"]
    assert found["low"] <= found["value"] <= found["high"]
    assert {"feature", "label", "value", "log_odds", "effect", "text"} == set(found["reasons"][0])
    assert {entry["target"] for entry in told["not_predictable"]} >= {"click", "return", "value"}


def test_nobody_known_private_and_unknown_product(client: TestClient) -> None:
    nobody = client.get("/v1/predictions").json()
    assert nobody["known"] is False
    assert {found["basis"] for found in nobody["predictions"]} == {"base rate"}
    private = client.get("/v1/predictions", params={"customer": small_shop.PRIVATE}).json()
    assert (private["personal"], private["predictions"]) == (False, [])
    unknown = client.get("/v1/predictions", params={"customer": "c001", "product": "nothing"})
    assert unknown.status_code == 404


def test_evaluation_has_the_figures(client: TestClient) -> None:
    told = client.get("/v1/evaluation").json()["predictions"]
    assert told["purchase"]["predictable"] is True
    assert {"value", "low", "high"} <= set(told["product"]["auc"])
    assert told["click"] == {
        "about": "clicks on a product that is shown",
        "predictable": False,
        "reason": "not predictable from this shop: no impressions and no clicks",
    }
    assert "predictions" not in client.get("/v1/snapshot").json()

"""Products read as vectors: only what changed is encoded, and what nobody has bought yet is found by content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from storewise.core.config import Config
from storewise.core.errors import ConfigError, UnknownName
from storewise.core.progress import Silent
from storewise.data.dataset import Dataset
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.shop import dataset
from storewise.data.stores import Store
from storewise.engine import content
from storewise.engine.content import ContentConfig, encode
from storewise.engine.pipeline import Pipeline, Policy
from storewise.engine.published import point_to
from storewise.engine.reading import encode_cached, product_texts
from storewise.engine.recommend import Answer, Ask
from storewise.engine.registry import registry
from storewise.engine.serving.service import Service
from storewise.serve.app import create_app
from storewise.testing.small_shop import PIPELINE, open_service, open_store, train_on
from storewise.understand.base import TextEncoder, Vectors, unit
from storewise.understand.projection import ProjectionConfig
from storewise.understand.text import packaged

NEW = "p99"


class Counting(TextEncoder[Any]):
    """Three directions a word, and a note of what it was given."""

    Config = Config
    dimensions = 3
    fingerprint = "counting"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __call__(self, batch: Sequence[str]) -> Vectors:
        self.seen.extend(batch)
        return unit([[len(text), "lamp" in text, "chair" in text] for text in batch])


def add(store: Store, product_id: str, title: str, category: str | None = None) -> None:
    row = {"product_id": product_id, "title": title, "category": category, "active": True}
    store.ingest(ShopTables(PRODUCTS.conform(pl.DataFrame([row])), EVENTS.empty()), "one more")


@pytest.fixture(scope="module")
def with_new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop with a lamp that nobody has bought, trained by what is always there."""
    folder = tmp_path_factory.mktemp("new")
    with open_store(folder) as store:
        add(store, NEW, "Red lamp 99", "light")
        given = ContentConfig(encoder="encode.tfidf_svd.v1", projection=ProjectionConfig(size=16, epochs=2))
        policy = Policy(new_customers=1)
        point_to(folder, train_on(store, PIPELINE.model_copy(update={"content": given, "policy": policy})).id)
    return folder


def asked(service: Service, customer: str | None, **more: Any) -> Answer:
    return service.recommend(Ask(service.shoppers.customer(customer) if customer else None, None, **more))


def test_a_product_nobody_has_bought_is_shown_to_those_whose_taste_it_is(with_new: Path) -> None:
    service = open_service(with_new)
    service.start()
    try:
        index = service.current().catalogue.index[NEW]
        lamps, chairs = asked(service, "c000"), asked(service, "c001")
        shown = [item for item in lamps.items if item.product == index]
        assert len(lamps.items) == len(chairs.items) == 12
        assert len(shown) == 1
        reason = shown[0].reason
        assert (shown[0].source, reason.kind) == ("retrieve.content.v1", "similar_content")
        assert reason.product is not None
        assert service.current().catalogue.titles[reason.product].split()[1] == "lamp"
        assert index not in [item.product for item in chairs.items]
        assert index not in [item.product for item in asked(service, None).items]
    finally:
        service.close()


def test_the_reason_is_true_without_its_product_the_score_falls(with_new: Path) -> None:
    service = open_service(with_new)
    service.start()
    try:
        snapshot = service.current()
        assert snapshot.content is not None
        from storewise.data.interactions import Histories
        from storewise.recommend.request import Request

        told = [1, 5, 9, 30]
        index = snapshot.catalogue.index[NEW]
        one = np.zeros(len(snapshot.catalogue), bool)
        one[index] = True

        def ask_with(products: list[int]) -> Any:
            history = Histories.single(products, n_products=len(snapshot.catalogue))
            return snapshot.content.retriever(Request(history, eligible=one), 1)

        whole = ask_with(told)
        cause = whole.reasons[0].product
        assert cause in told
        assert ask_with([p for p in told if p != cause]).scores[0] < whole.scores[0]
    finally:
        service.close()


def test_what_is_like_a_product_without_customers_is_told_by_content(with_new: Path) -> None:
    with TestClient(create_app(open_service(with_new)), base_url="http://127.0.0.1") as client:
        items = client.get(f"/v1/products/{NEW}/similar?n=5").json()["items"]
        assert len(items) == 5
        assert {item["by"] for item in items} == {"content"}
        assert sum("lamp" in item["title"] for item in items) >= 4
        assert [i["score"] for i in items] == sorted((i["score"] for i in items), reverse=True)
        both = client.get("/v1/products/p00/similar?n=40").json()["items"]
        assert [item["by"] for item in both] == sorted((item["by"] for item in both), reverse=True)
        assert len({item["product_id"] for item in both}) == len(both)


def test_only_what_changed_is_encoded_again(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        encoder, texts = Counting(), product_texts(store.products())
        first, fresh = encode_cached(encoder, texts, store.vectors)
        assert (fresh, len(encoder.seen)) == (40, 40)
        again, fresh = encode_cached(encoder, texts, store.vectors)
        assert (fresh, len(encoder.seen)) == (0, 40)
        np.testing.assert_array_equal(first, again)
        add(store, "p00", "Green lamp", "light")
        add(store, "p98", "")
        texts = product_texts(store.products())
        _, fresh = encode_cached(encoder, [*texts, *texts], store.vectors)
        assert fresh == 2
        assert encoder.seen[40:] == ["Green lamp. light", ""]


def test_without_a_pretrained_encoder_tfidf_stands_in_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Said(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    said: list[str] = []
    monkeypatch.setattr(packaged, "available", lambda name: False)
    with open_store(tmp_path) as store:
        found = encode(store.products(), ContentConfig(), registry(), seed=1, progress=Said())
    assert found is not None
    assert found.name == "encode.tfidf_svd.v1"
    assert "not installed" in found.note
    assert said == [f"Products are read by {found.name}: {found.note}."]


def test_chinese_titles_call_for_the_multilingual_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "available", lambda name: True)
    assert content.automatic(["红色台灯", "蓝色椅子"])[0] == "encode.e5.v1"
    assert content.automatic(["red lamp", "chair"] * 20 + ["台灯"])[0] == "encode.minilm.v1"
    assert content.automatic([])[0] == "encode.minilm.v1"


def test_a_named_encoder_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    products = pl.DataFrame({"product_id": ["a"], "title": ["Lamp"]})
    with pytest.raises(UnknownName, match=r"encode\.nothing\.v1"):
        encode(products, ContentConfig(encoder="encode.nothing.v1"), registry(), seed=1)
    with pytest.raises(ConfigError, match="no text encoder"):
        encode(products, ContentConfig(encoder="retrieve.popular.v1"), registry(), seed=1)


def test_content_can_be_left_out(tmp_path: Path) -> None:
    left_out: Pipeline = PIPELINE.model_copy(update={"content": ContentConfig(encoder="none")})
    with open_store(tmp_path) as store:
        manifest = train_on(store, left_out)
        assert "content" not in manifest.artifacts
        point_to(tmp_path, manifest.id)
    service = open_service(tmp_path)
    service.start()
    try:
        assert service.current().content is None
        assert len(asked(service, "c000").items) == 12
    finally:
        service.close()


def photo(colour: tuple[int, int, int]) -> bytes:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (32, 32), colour).save(out, "JPEG")
    return out.getvalue()


def test_photos_join_the_texts_and_a_product_without_one_is_a_normal_one(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="needs the extra vision")
    folder = tmp_path / "photos"
    folder.mkdir()
    for product, colour in {"p00": (200, 0, 0), "p02": (200, 0, 0), "p01": (0, 0, 200)}.items():
        (folder / f"{product}.jpg").write_bytes(photo(colour))
    (folder / "p05.jpg").write_bytes(b"%PDF-1.4 no photo")
    (tmp_path / "secret.jpg").write_bytes(photo((0, 200, 0)))
    given = ContentConfig(
        encoder="encode.tfidf_svd.v1", photos=folder, photo_encoder="encode.colour_histogram.v1",
        projection=ProjectionConfig(size=16, epochs=1),
    )  # fmt: skip
    with open_store(tmp_path / "shop") as store:
        add(store, "p97", "Lamp")
        products = store.products().with_columns(
            image=pl.when(pl.col("product_id") == "p97")
            .then(pl.lit("../secret.jpg"))
            .otherwise(pl.col("image"))
        )
        found = encode(products, given, registry(), seed=1, cache=store.vectors)
    assert found is not None
    assert found.photos is not None
    seen = np.flatnonzero(np.abs(found.photos).sum(axis=1))
    assert [products["product_id"][int(i)] for i in seen] == ["p00", "p01", "p02"]
    assert "3 of 41 products have a photo" in found.facts["photos"]
    assert found.photos[0] @ found.photos[2] > found.photos[0] @ found.photos[1] + 0.3
    with pytest.raises(ConfigError, match="There is no folder"):
        encode(products, given.model_copy(update={"photos": tmp_path / "none"}), registry(), seed=1)
    with pytest.raises(ConfigError, match="reads no photos"):
        encode(
            products, given.model_copy(update={"photo_encoder": "encode.tfidf_svd.v1"}), registry(), seed=1
        )


def test_behaviour_joins_the_texts_and_a_product_without_buyers_is_placed_by_its_text(tmp_path: Path) -> None:
    """Titles that say nothing: only who bought what tells lamps from chairs."""
    config = ContentConfig(
        encoder="encode.tfidf_svd.v1", behaviour_size=8, projection=ProjectionConfig(size=16, epochs=4)
    )
    with open_store(tmp_path) as store:
        add(store, NEW, "Red lamp 99", "light")
        shop = dataset(store)
    silent = replace(shop, products=shop.products.with_columns(title=pl.lit("thing"), category=pl.lit("all")))

    def apart(given: Dataset, how: ContentConfig) -> float:
        """How much nearer a sold product is to the products of its half than to the other half's."""
        found = content.with_content(given, encode(given.products, how, registry(), seed=1), how, seed=1)[
            0
        ].content
        assert found is not None
        sold = np.flatnonzero(shop.interactions.popularity[:40] > 4)
        near = found[sold] @ found[sold].T
        same = (sold[:, None] < 20) == (sold[None, :] < 20)
        off = ~np.eye(len(sold), dtype=bool)
        return float(near[same & off].mean() - near[~same].mean())

    assert apart(silent, config) > apart(silent, config.model_copy(update={"behaviour_size": 0})) + 0.3
    joined = content.with_content(shop, encode(shop.products, config, registry(), seed=1), config, seed=1)[
        0
    ].content
    assert joined is not None
    new = shop.product_index[NEW]
    assert (joined[:20] @ joined[new]).mean() > (joined[20:40] @ joined[new]).mean() + 0.2

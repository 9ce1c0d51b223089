"""Search over a snapshot: the index in the artifact, older snapshots, hybrids, missing encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core import artifact
from storewise.core.errors import InputError, LimitExceeded
from storewise.engine.published import ARTIFACTS
from storewise.engine.search import Query, payload, search
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.search_index import SEARCH, index_of, searcher_of
from storewise.engine.serving.service import Service


def test_the_index_of_the_artifact_is_that_of_the_catalogue(service: Service) -> None:
    snapshot = service.current()
    found = artifact.read(Path(service.store.folder) / ARTIFACTS / snapshot.manifest.artifacts[SEARCH])
    before = searcher_of(None, snapshot.catalogue, None)  # a snapshot from before search was there
    after = searcher_of(found, snapshot.catalogue, None)
    assert before.index.words == after.index.words
    assert before("blue chair") == after("blue chair")


def test_attributes_are_found_by_value_and_true_ones_by_name() -> None:
    held = '{"colour": ["red", "blue"], "dimmable": true, "wireless": false, "power": {"w": 40}}'
    index = index_of(
        Catalogue.of(pl.DataFrame({"product_id": ["a"], "title": ["Lamp"], "attributes": [held]}))
    )
    assert index.words == ["40", "a", "blue", "dimmable", "lamp", "red"]
    assert index_of(Catalogue.of(pl.DataFrame(schema={"product_id": pl.String}))).n_products == 0


def test_words_and_meaning_together_where_products_have_been_read(service: Service) -> None:
    snapshot = service.current()
    assert snapshot.content is not None
    hybrid = payload(search(snapshot, Query("lamp", 5)))
    assert hybrid["notes"] == []
    assert all(item["reason"]["similarity"] is not None for item in hybrid["items"])
    bare = payload(search(replace(snapshot, content=None), Query("lamp", 5)))
    assert bare["notes"] == ["by words alone: products have not been read as vectors"]
    assert all(item["reason"]["similarity"] is None for item in bare["items"])
    unread = replace(snapshot, content=replace(snapshot.content, encoder=None))
    assert "not installed here" in payload(search(unread, Query("lamp", 5)))["notes"][0]


def test_new_stock_hides_a_product_from_the_next_search(service: Service) -> None:
    snapshot = service.current()
    stock = pl.DataFrame({"product_id": ["p33"], "on_hand": [0]})
    later = snapshot.with_facts(service.store.products(), stock)
    ids = np.array(snapshot.catalogue.ids)
    assert "p33" in ids[[hit.product for hit in search(snapshot, Query("chair 33", 100)).found.hits]]
    assert "p33" not in ids[[hit.product for hit in search(later, Query("chair 33", 100)).found.hits]]


def test_no_query_and_too_long_a_query_are_refused(service: Service) -> None:
    with pytest.raises(InputError, match="empty"):
        search(service.current(), Query(" \n"))
    with pytest.raises(LimitExceeded, match="100,000 characters"):
        search(service.current(), Query("x" * 100_000))

"""The words of a catalogue as an artifact, and the search that a snapshot holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from storewise.core.artifact import Artifact
from storewise.data.dataset import Dataset
from storewise.engine.serving.catalogue import Catalogue
from storewise.recommend.search.fields import text_fields
from storewise.recommend.search.index import TextIndex
from storewise.recommend.search.learned import LearnedBlend
from storewise.recommend.search.searcher import Searcher
from storewise.understand.base import Vectors

SEARCH = "search"
BLEND = "search_blend"  # only where clicks taught a better one
SEARCHED = {"title": "title", "description": "description", "category": "category", "brand": "brand",
            "attributes": "attributes", "product_id": "id"}  # fmt: skip
"""Column of the catalogue → field of the index."""


def search_artifact(dataset: Dataset, facts: Mapping[str, Any]) -> Artifact:
    """The words of the products, in index order."""
    return Artifact(SEARCH, facts, index_of(Catalogue.of(dataset.products)).state())


def searcher_of(
    found: Artifact | None, catalogue: Catalogue, vectors: Vectors | None, floor: float = -1.0,
    blend: Artifact | None = None,
) -> Searcher:  # fmt: skip
    """Search over a snapshot's catalogue. A snapshot from before search was there has no index: it is made of the
    catalogue. ``vectors``: (n, d) of the products' texts, None: by words alone. ``floor``:
    see :class:`Searcher`. ``blend``: the learned one, None: the default."""
    learned = None if blend is None else LearnedBlend.restore(blend.arrays)
    index = index_of(catalogue) if found is None else TextIndex.restore(found.arrays)
    return Searcher.of(index, vectors=vectors, floor=floor, learned=learned)


def index_of(catalogue: Catalogue) -> TextIndex:
    """The search index of a catalogue; an attribute counts with its value, a true one with its name."""
    rows = catalogue.frame.select(list(SEARCHED)).with_columns(pl.lit(None).alias("attributes")).to_dicts()
    for product, row in enumerate(rows):
        held = catalogue.attributes(product)
        row["attributes"] = [
            name if value is True else value for name, value in held.items() if value is not False
        ]
    return TextIndex.build(text_fields(rows, SEARCHED)) if rows else TextIndex.build({"title": []})

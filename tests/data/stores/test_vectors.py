"""The cache of vectors: what was kept comes back bit for bit, by encoder and content."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from storewise.data.stores import Store
from storewise.data.stores.vectors import content_hash


def test_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((1_200, 8)).astype(np.float32)
    keys = [content_hash(f"text {i}") for i in range(1_200)]
    with Store.open(tmp_path) as store:
        store.vectors.put("a", keys, vectors)
    with Store.open(tmp_path) as store:
        found = store.vectors.get("a", [*keys, "unknown", keys[0]])
        assert len(found) == 1_200
        np.testing.assert_array_equal(np.stack([found[key] for key in keys]), vectors)
        assert store.vectors.get("b", keys) == {}
        store.vectors.put("a", keys[:1], vectors[1:2])
        np.testing.assert_array_equal(store.vectors.get("a", keys[:1])[keys[0]], vectors[1])
        store.vectors.put("b", keys[:2], vectors[:2])
        assert len(store.vectors.get("b", keys)) == 2


def test_keys_tell_contents_apart() -> None:
    odd = ["", "a", b"a", None, "a ", "红", "\ud800"]
    assert len({content_hash(one) for one in odd}) == len(odd)

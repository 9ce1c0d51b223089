"""Every registered retriever comes back from its artifact as it was: the same lists, score for score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core import artifact
from storewise.core.rng import spawn
from storewise.data.interactions import Histories
from storewise.engine.registry import registry
from storewise.engine.serving.snapshot import restore_retriever, retriever_artifact
from storewise.recommend.request import Request
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.testing.retriever import shop

NAMES = registry().names("retrieve")


def test_all_are_found() -> None:
    assert len(NAMES) >= 8
    assert {"retrieve.popular.v1", "retrieve.item_knn.v1", "retrieve.fusion.v1"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_gives_the_same_lists(name: str, tmp_path: Path) -> None:
    data = shop()
    small = {}
    if issubclass(registry().get(name), Neural):
        pytest.importorskip("torch", reason="needs the extra deep")
        small = {"epochs": 3, "embedding_size": 8, "length": 12}
    trained = registry().create(name, small)
    assert isinstance(trained, Retriever)
    trained.train(data, rng=spawn(0, name))
    folder = artifact.write(retriever_artifact(name, trained, {"watermark": 0.0}), tmp_path)
    found_name, restored = restore_retriever(artifact.read(folder), registry())
    assert found_name == name
    assert restored.config == trained.config
    everyone = data.histories(np.arange(0, data.n_customers, 7))
    unknown = Histories.single([3, 1], n_products=data.n_products, now=data.interactions.end)
    for history in (everyone.part(0, 1), everyone.part(4, 5), unknown):
        before, after = trained(Request(history), 10), restored(Request(history), 10)
        assert np.array_equal(before.products, after.products)
        assert np.array_equal(before.scores, after.scores)
        assert before.reasons == after.reasons

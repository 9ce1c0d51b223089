"""Training both readers on a small shop: nothing after the border counts, the same seed gives the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.progress import Silent
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S
from storewise.engine import readers
from storewise.recommend.retrieve.item_knn import ItemKnn
from storewise.testing import tiny_bert
from storewise.understand.finetune.tower import Tower

TITLES = [
    f"{colour} {thing}" for colour in ("red", "blue") for thing in ("cup", "mug", "bowl", "lamp", "chair")
]
CONFIG = readers.ReaderConfig(tower_steps=2, cross_steps=2, days=20, depth=5, hard=1, random=1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Tower:
    for library in ("torch", "transformers", "peft"):
        pytest.importorskip(library, reason="needs the extra finetune")
    return Tower.load(tiny_bert.write(tmp_path_factory.mktemp("bert")))


def shop() -> Dataset:
    rng = np.random.default_rng(0)
    what = np.concatenate([rng.permutation(10)[:5] for _ in range(40)])
    at = np.tile(np.arange(5) * 10 * DAY_S, 40)
    return Dataset.of(np.repeat(np.arange(40), 5), what, at=at, n_customers=40, n_products=10)


def test_later_events_change_nothing(start: Tower) -> None:
    border, moments = 30 * DAY_S, []

    def ranker(dataset: Dataset) -> ItemKnn:
        moments.append(dataset.interactions.end)
        model = ItemKnn()
        model.train(dataset, rng=spawn(0, "knn"))
        return model

    known = shop().until(border)
    histories = known.histories(np.arange(3), now=border)
    candidates = np.array([[0, 1], [2, -1], [3, 4]])
    found = []
    for _ in range(2):
        made = readers.train(known, TITLES, ranker, CONFIG, start, border=border, seed=3, progress=Silent())
        found.append((made.two_tower(histories), made.cross(histories, candidates)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    assert found[0][0].shape == (3, 10)
    assert np.isfinite(found[0][1]).tolist() == [[True, True], [True, False], [True, True]]
    # The model that proposes negatives knows nothing of the examples' time.
    assert max(moments) < border - CONFIG.days * DAY_S or max(moments) < np.median(known.interactions.at)

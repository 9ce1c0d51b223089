"""What happened before the window is not learned from, whatever the retriever."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from storewise.data.dataset import Dataset
from storewise.engine.registry import registry
from storewise.testing.retriever import shop

DAY_S = 86_400.0
LEARNED = [
    name
    for name in registry().names("retrieve")
    if "window_days" in registry().get(name).Config.model_fields and name != "retrieve.popular.v1"
]


def years_apart() -> tuple[Dataset, Dataset]:
    """A shop whose first half lies two years before its second, and the second half alone."""
    data = shop(customers=60, products=40, events=700).interactions
    old = np.arange(len(data)) % 2 == 0
    at = np.where(old, 0.0, 730 * DAY_S) + np.arange(len(data))

    def part(rows: npt.NDArray[np.bool_]) -> Dataset:
        customers, products = data.customers[rows], data.products[rows]
        sizes = {"n_customers": data.n_customers, "n_products": data.n_products}
        return Dataset.of(customers, products, at=at[rows], **sizes)

    return part(np.ones(len(data), bool)), part(~old)


def test_there_are_learned_retrievers() -> None:
    assert len(LEARNED) == 10


@pytest.mark.parametrize("name", LEARNED)
def test_a_window_learns_as_if_there_were_nothing_before(name: str) -> None:
    small = {}
    if "patience" in registry().get(name).Config.model_fields:
        pytest.importorskip("torch", reason="needs the extra deep")
        small = {"epochs": 3, "patience": 0, "embedding_size": 8, "length": 12}
    whole, recent = years_apart()
    asked = recent.histories(np.arange(recent.n_customers))
    found = []
    for data, config in ((whole, {"window_days": 30.0}), (recent, {}), (whole, {})):
        model = registry().create(name, {**small, **config})
        model.train(data, rng=np.random.default_rng(3))  # type: ignore[attr-defined]
        found.append(model.scores(asked))  # type: ignore[attr-defined]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    assert not np.allclose(found[0], found[2], rtol=1e-3)

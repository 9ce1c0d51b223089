from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from storewise.core.config import Config
from storewise.core.errors import StateError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.engine import measure
from storewise.engine.protocols import base
from storewise.metrics import ranking
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever


class Fixed(Retriever[Config]):
    """Scores from a table by customer; the rows it has been asked for are counted."""

    Config = Config

    def __init__(self, table: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.table = table
        self.asked: list[int] = []

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        self.asked.append(len(histories))
        return self.table[histories.customers]


@pytest.fixture
def shop() -> Dataset:
    rng = np.random.default_rng(0)
    who, what = np.nonzero(rng.random((700, 25)) < 0.2)
    return Dataset.of(who, what, at=np.arange(len(who)), n_customers=700, n_products=25)


def task_for(shop: Dataset, k: int = 5) -> Task:
    rng = np.random.default_rng(1)
    answers = Dataset.of(*np.nonzero(rng.random((700, 25)) < 0.1), n_customers=700, n_products=25)
    return base.task_of(shop.interactions, answers.interactions, k=k, metric="ndcg")


def test_batches_give_what_one_table_gives_and_masks_stay_in_place(shop: Dataset) -> None:
    task = task_for(shop)
    table = np.random.default_rng(2).random((700, 25)).astype(np.float32)
    kept = table.copy()
    model = Fixed(table)
    found = measure.answer(model, task, shop, ("ndcg", "recall"), label="fixed")
    assert (table == kept).all(), "the model's own scores were masked"
    assert max(model.asked) <= measure.BATCH
    assert len(model.asked) > 1  # more than one batch
    scores = np.where(task.seen.toarray() > 0, -np.inf, table[task.histories.customers])  # type: ignore[union-attr]
    top = ranking.top_k(scores, 5, task.relevant)
    assert (found.top == top).all()
    assert found.values[:, 0] == pytest.approx(ranking.ndcg(top, task.relevant))
    seen = set(zip(*task.seen.nonzero(), strict=True))  # type: ignore[union-attr]
    assert not seen & {(row, item) for row, items in enumerate(top.tolist()) for item in items}


def test_a_constant_model_scores_nothing(shop: Dataset) -> None:
    found = measure.answer(Fixed(np.zeros((700, 25), np.float32)), task_for(shop), shop, ("ndcg",), label="c")
    top = measure.figures([found], seed=1)["ndcg@5"]
    assert top.value < 0.02  # only where masking leaves fewer than five others


def test_nan_scores_are_refused_by_name(shop: Dataset) -> None:
    table = np.full((700, 25), np.nan, np.float32)
    with pytest.raises(StateError, match="broken scored NaN"):
        measure.rank(Fixed(table), task_for(shop), label="broken")


def answers_of(values: list[float], customers: list[int]) -> measure.Answers:
    lists = np.zeros((len(values), 3), np.int32)
    return measure.Answers(("ndcg",), lists, np.array(values)[:, None], np.array(customers, np.int32), 4)


def test_folds_weigh_the_same_however_many_shoppers_they_have() -> None:
    found = measure.figures([answers_of([1.0], [0]), answers_of([0.0, 0.0, 0.6], [0, 1, 2])], seed=1)
    assert found["ndcg@3"].value == pytest.approx((1.0 + 0.2) / 2)


def test_shoppers_with_nothing_to_find_do_not_count() -> None:
    found = measure.figures([answers_of([1.0, float("nan"), 0.0], [0, 1, 2])], seed=1)
    assert found["ndcg@3"].value == pytest.approx(0.5)


def test_an_undefined_figure_is_null_in_the_report() -> None:
    found = measure.figures([answers_of([], [])], seed=1)
    assert measure.as_json(found)["ndcg@3"] == {"value": None, "low": None, "high": None}


def test_groups_keep_rows_together() -> None:
    found = answers_of([1.0, 0.5, 0.0], [7, 8, 9]).of(np.array([True, False, True]))
    assert found.customers.tolist() == [7, 9]
    assert found.values[:, 0].tolist() == [1.0, 0.0]


def test_relevant_products_that_are_masked_are_misses() -> None:
    known = Dataset.of([0], [1], n_customers=1, n_products=4)
    answers = Dataset.of([0, 0], [1, 2], n_customers=1, n_products=4)
    task = base.task_of(known.interactions, answers.interactions, k=2, metric="recall")
    found = measure.answer(Fixed(np.array([[0, 9, 8, 1]], np.float32)), task, known, ("recall",), label="m")
    assert found.values[0, 0] == 0.5
    fresh = base.task_of(known.interactions, answers.interactions, k=2, metric="recall", only_new=True)
    assert (fresh.relevant != sparse.csr_matrix([[0, 0, 1, 0]])).nnz == 0

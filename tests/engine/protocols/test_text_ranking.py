"""What the study makes of scores; its figures on real data come from benchmarks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.data.interactions import Interactions
from storewise.engine.protocols.text_ranking import TEXTS, _rows, _Window, best_weight, drawn, standardised
from storewise.recommend.choose.task import Task


def window(ids: list[list[float]], text: list[list[float]], wanted: list[list[int]]) -> _Window:
    b, n = np.shape(ids)
    shop = Interactions.build(range(b), [0] * b, at=[0.0] * b, n_customers=b, n_products=n)
    task = Task(shop.histories(np.arange(b)), sparse.csr_matrix(wanted), None, 1)
    scores = {"id": np.array(ids, np.float32), "popular": np.zeros((b, n), np.float32)}
    scores |= {name: np.array(text, np.float32) for name in TEXTS}
    candidates = np.argsort(-scores["id"], axis=1, kind="stable")[:, :3]
    return _Window(task, scores, candidates, dict.fromkeys(scores, 0.0))


IDS = [[0.0, 3.0, 2.9, 1.0], [0.0, 3.0, 2.9, 1.0]]


def test_a_fusion_orders_the_candidates_of_the_id_model_alone() -> None:
    found = window(IDS, [[9.0, 0.0, 1.0, 0.0]] * 2, [[0, 0, 1, 0]] * 2).fused("two-tower", 1.0)
    assert found[:, 0].tolist() == [-np.inf, -np.inf]
    expected = standardised(np.array([[3.0, 2.9, 1.0]], np.float32)) + standardised(
        np.array([[0.0, 1.0, 0.0]], np.float32)
    )
    np.testing.assert_allclose(found[0, 1:], expected[0], rtol=1e-5)


def test_the_weight_is_none_where_text_misleads_and_some_where_it_helps() -> None:
    wanted = [[0, 0, 1, 0]] * 2
    assert best_weight(window(IDS, [[0.0, 0.0, 1.0, 0.0]] * 2, wanted), "two-tower") > 0
    assert best_weight(window(IDS, [[0.0, 0.0, 1.0, 0.0]] * 2, [[0, 1, 0, 0]] * 2), "two-tower") == 0


def test_rows_say_what_validation_chose_and_what_was_gained() -> None:
    helps = window(IDS, [[0.0, 0.0, 9.0, 0.0]] * 2, [[0, 0, 1, 0]] * 2)
    rows = _rows(helps, helps, dict.fromkeys(TEXTS, 1.0), "retrieve.ease.v1", 0)
    by_name = {row["model"]: row for row in rows}
    assert sum(row["selected"] for row in rows) == sum(row["simple"] for row in rows) == 1
    assert by_name["id"]["metrics"]["ndcg@10"]["value"] == 0
    assert by_name["id + two-tower"]["metrics"]["ndcg gained"]["value"] == 1
    assert "ndcg gained" not in by_name["id"]["metrics"]


def test_customers_are_drawn_with_their_answers() -> None:
    shop = Interactions.build(range(20), range(20), at=[0.0] * 20, n_customers=20, n_products=20)
    task = Task(shop.histories(np.arange(20)), shop.matrix, shop.matrix, 5)
    found = drawn(task, 7, np.random.default_rng(0))
    assert len(found) == 7
    assert found.relevant.indices.tolist() == found.histories.products.tolist()
    assert drawn(task, 20, np.random.default_rng(0)) is task


def test_no_text_is_no_news() -> None:
    silent = np.array([[-np.inf, -np.inf], [2.0, 2.0]], np.float32)
    assert standardised(silent).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert standardised(np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert pytest.approx(0) == standardised(np.array([[1.0, 2.0, 5.0]], np.float32)).mean()

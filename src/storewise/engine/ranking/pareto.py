"""What each setting of the dial between relevance and value is worth on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.engine.measure import as_json
from storewise.metrics import ranking
from storewise.metrics.intervals import mean
from storewise.recommend.rank.base import Moment, Scores
from storewise.recommend.rank.objective import Objective

Values = npt.NDArray[np.float64]


def pareto(
    moment: Moment, scores: Scores, chances: Scores, margin_minor: Values, relevant: Any, *,
    dials: Sequence[float], k: int, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row a dial: ``ndcg@k``, ``expected_margin_minor`` Σ p·m of a list, ``margin_minor`` Σ m of what was
    bought of it, each a mean over shoppers with its interval; ``dominated``: another dial is better in both NDCG and
    the margin of what was bought.

    ``relevant`` (b, n_products): what each shopper bought in the window.
    """
    rows: list[dict[str, Any]] = []
    for dial in dials:
        objective = Objective(dial, margin_minor)
        places = places_of(moment, objective(scores, chances, moment.candidates.products), k)
        figures = _figures(moment, places, chances, objective, relevant, k)
        intervals = mean(np.stack(list(figures.values()), axis=1), seed=seed)
        rows.append({"dial": dial, "metrics": as_json(dict(zip(figures, intervals, strict=True)))})
    names = (f"ndcg@{k}", "margin_minor")
    points = [tuple(row["metrics"][name]["value"] or 0.0 for name in names) for row in rows]
    for row, point in zip(rows, points, strict=True):
        row["dominated"] = any(
            all(a >= b for a, b in zip(other, point, strict=True)) and other != point for other in points
        )
    return rows


def places_of(moment: Moment, scores: Scores, k: int) -> npt.NDArray[np.int64]:
    """(b, k) places among the candidates, -1 where a list is shorter."""
    row = moment.candidates.row
    order = np.lexsort((np.where(np.isnan(scores), np.inf, -scores), row))
    place = np.arange(len(order)) - np.searchsorted(row[order], row[order])
    lists = np.full((len(moment.histories), k), -1, np.int64)
    top = place < k
    lists[row[order][top], place[top]] = order[top]
    return lists


def products_of(moment: Moment, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """(b, k) products at these places among the candidates, -1 where a list is shorter."""
    found = (
        moment.candidates.products[np.maximum(places, 0)] if len(moment.candidates) else np.zeros_like(places)
    )
    return np.where(places >= 0, found, -1).astype(np.int32)


def _figures(
    moment: Moment, lists: npt.NDArray[np.int64], chances: Scores, objective: Objective, relevant: Any, k: int
) -> dict[str, Values]:
    listed = lists >= 0
    safe = np.where(listed, lists, 0)
    products = products_of(moment, lists)
    margin = np.where(listed, objective.worth(np.maximum(products, 0).ravel()).reshape(lists.shape), 0.0)
    expected = np.where(listed, np.nan_to_num(chances[safe]), 0.0) * margin
    bought = listed & moment.bought[safe]
    ndcg: Values = ranking.METRICS["ndcg"](products, relevant)
    return {
        f"ndcg@{k}": ndcg,
        "expected_margin_minor": expected.sum(axis=1),
        "margin_minor": (bought * margin).sum(axis=1),
    }

"""``graph-links`` on a shop whose new pairs are foretold by shared partners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S, Interactions
from storewise.engine.history import History
from storewise.engine.protocols import graph_links
from storewise.engine.protocols.graph_links import GraphLinks
from storewise.engine.protocols.inputs import Inputs


def growing_shop(days: int = 300) -> History:
    """Four themes of eight products; a basket takes two of one theme, and which pairs are usual changes."""
    rng = np.random.default_rng(0)
    rows = []
    for day in range(days):
        for customer in rng.choice(200, 25, replace=False).tolist():
            theme, era = int(rng.integers(4)), day // 84
            first = int(rng.integers(8))
            pair = {8 * theme + first, 8 * theme + (first + 1 + era) % 8}
            rows += [(customer, product, day * DAY_S) for product in pair]
    who, what, at = zip(*rows, strict=True)
    return History.of(
        Dataset.from_interactions(Interactions.build(who, what, at=at, n_customers=200, n_products=32))
    )


def test_new_links_are_foretold_by_the_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    history = growing_shop()
    monkeypatch.setattr(graph_links, "read_history", lambda path: history)
    body = GraphLinks().run(Inputs(), models=None, budget_s=60, seed=1, progress=Silent())
    rows = {row["model"]: row for row in body["rows"]}
    assert sum(row["selected"] for row in body["rows"]) == 1
    assert [name for name, row in rows.items() if row["simple"]] == ["popularity"]
    chosen = next(row for row in body["rows"] if row["selected"])
    assert chosen["validation"] == max(row["validation"] for row in rows.values())
    assert chosen["metrics"]["ndcg@20"]["value"] > rows["popularity"]["metrics"]["ndcg@20"]["value"]
    assert chosen["above"]["ndcg@20 above popularity"]["low"] > 0
    for row in body["rows"]:
        figure = row["metrics"]["ndcg@20"]
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_what_is_asked_is_new_and_was_sold() -> None:
    history = growing_shop()
    start = 216 * DAY_S
    asked = graph_links.question(history, start, float("inf"), Silent())
    links = asked.partners.tocoo()
    assert len(asked.asked) > 10
    assert not np.asarray(asked.known[asked.asked[links.row], links.col]).any()
    assert asked.past.interactions.end < start
    values = graph_links.measure(
        asked, lambda rows: asked.partners[np.searchsorted(asked.asked, rows)].toarray()
    )
    assert values.min() == 1.0  # whoever knows the answer is right


def test_too_little_data_and_options_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="No new pair"):
        graph_links.question(growing_shop(20), 19.5 * DAY_S, float("inf"), Silent())
    with pytest.raises(ConfigError, match="compares its own rows"):
        GraphLinks().run(Inputs(Path("x")), models=["ease"], budget_s=1, seed=1, progress=Silent())

"""The last places of a list explore, and the log says how likely each item was."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from storewise.core.clock import fixed_clock
from storewise.engine.pipeline import Pipeline
from storewise.engine.recommend import Ask, Recommender
from storewise.engine.registry import registry
from storewise.engine.serving.arms import NAMES
from storewise.engine.serving.explorer import Explorer
from storewise.engine.serving.service import Service, decision_row
from storewise.engine.stages import ExploreConfig
from storewise.testing.small_shop import END

EXPLORE = ExploreConfig(use="explore.epsilon_greedy.v1", places=2)


def exploring(service: Service, days: int = 0) -> Recommender:
    snapshot = service.current()
    pipeline = snapshot.pipeline.model_copy(update={"explore": EXPLORE})
    changed = replace(snapshot, pipeline=pipeline, explorer=Explorer.of(pipeline, registry()))
    return Recommender(lambda: changed, live=service.live, clock=fixed_clock(END + timedelta(days=days)))


def test_nothing_explores_unless_the_pipeline_says_so(service: Service) -> None:
    assert Explorer.of(Pipeline(name="home"), registry()) is None
    answer = service.recommend(Ask(service.shoppers.customer("c000")))
    assert {item.propensity for item in answer.items} == {1.0}


def test_the_head_stays_and_the_tail_has_exact_propensities(service: Service) -> None:
    name = service.shoppers.customer("c000")
    plain = service.recommend(Ask(name, n=6))
    tails: Counter[int] = Counter()
    told: dict[int, float] = {}
    for day in range(300):
        answer = exploring(service, day % 300)(Ask(name, n=6, slot=f"s{day}"))
        del day
        assert len({item.product for item in answer.items}) == 6
        row = decision_row(answer)["items"]
        assert [item["propensity"] for item in row[:4]] == [1.0] * 4
        assert all(0 < item["propensity"] <= 1 for item in row)
        fifth = answer.items[4]
        tails[fifth.product] += 1
        told[fifth.product] = fifth.propensity
    assert [item.product for item in plain.items[:4]]
    assert len(tails) > 3  # it does explore
    # What the log says is how often it happens (five standard errors).
    product, count = tails.most_common(1)[0]
    p = told[product]
    assert abs(count / 300 - p) < 5 * np.sqrt(p * (1 - p) / 300) + 0.02


def test_the_log_keeps_what_the_policy_could_see(service: Service) -> None:
    name = service.shoppers.customer("c000")
    known, nobody = (exploring(service)(Ask(who, n=6)) for who in (name, None))
    rows = decision_row(known)["items"]
    assert ["features" in row for row in rows] == [False] * 4 + [True] * 2
    arms, products = known.snapshot.arms, np.array([known.items[4].product])
    history = known.snapshot.histories.histories([known.snapshot.customer_index[name]])
    features = dict(zip(NAMES, rows[4]["features"], strict=True))
    mine = dict(zip(NAMES, arms(products, np.array([0.05]), history)[0], strict=True))
    for part in ("price", "price_gap", "category_share", "likeness", "bought", "known"):
        assert features[part] == pytest.approx(mine[part]), part
    assert features["known"] > 0
    strange = [dict(zip(NAMES, item.features, strict=True)) for item in nobody.items[4:]]
    assert all(one["known"] == one["category_share"] == one["bought"] == 0 for one in strange)


def test_the_same_shopper_has_the_same_list_all_day(service: Service) -> None:
    name = service.shoppers.customer("c000")
    made = exploring(service)
    one, two = (made(Ask(name, n=6)) for _ in range(2))
    assert [i.product for i in one.items] == [i.product for i in two.items]


def test_a_policy_that_fails_costs_nothing(service: Service) -> None:
    snapshot = service.current()

    class Broken:
        def decide(self, *args: object) -> None:
            raise RuntimeError("no")

    broken = replace(snapshot, explorer=Explorer(Broken(), 2, "broken"))
    answer = Recommender(lambda: broken, live=service.live, clock=fixed_clock(END))(Ask(None, n=6))
    assert "exploring failed" in answer.notes
    assert len(answer.items) == 6


@pytest.mark.parametrize("places", [1, 20])
def test_a_short_list_explores_with_what_there_is(service: Service, places: int) -> None:
    snapshot = service.current()
    pipeline = snapshot.pipeline.model_copy(update={"explore": EXPLORE.model_copy(update={"places": places})})
    changed = replace(snapshot, pipeline=pipeline, explorer=Explorer.of(pipeline, registry()))
    answer = Recommender(lambda: changed, live=service.live, clock=fixed_clock(END))(Ask(None, n=100))
    assert len(answer.items) == 38

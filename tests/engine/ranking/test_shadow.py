"""A ranker that validation does not let serve stands beside the retrieved order and changes nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storewise.core.artifact import read
from storewise.core.progress import Silent
from storewise.data.stores import Store
from storewise.engine.pipeline import Policy
from storewise.engine.published import ARTIFACTS
from storewise.engine.ranking import choose
from storewise.engine.recommend import Ask
from storewise.engine.registry import registry
from storewise.engine.serving.answer import payload
from storewise.engine.serving.second_stage import as_served, ranker_artifact, restore_second_stage
from storewise.engine.serving.service import Service
from storewise.engine.train import train
from storewise.metrics.intervals import Interval
from storewise.testing.small_shop import END

from .shops import RANK, SHOP, as_shadow, changed, customer, recommender


def test_a_shadow_changes_nothing_of_the_served_list(service: Service) -> None:
    shadow, plain = as_shadow(service), replace(service.current(), second=None)
    for name in ("c000", "c010", "c033"):
        for explain in (False, True):
            ask = Ask(customer(service, name), explain=explain)
            shown, without = (recommender(service, each)(ask) for each in (shadow, plain))
            assert shown.items == without.items
            assert (shown.step, shown.notes) == (without.step, without.notes)


def test_a_shadow_shows_the_list_that_it_would_serve(service: Service) -> None:
    ask = Ask(customer(service, "c010"), explain=True)
    told = payload(recommender(service, as_shadow(service))(ask))
    assert told["ranker"] == "rank.lambdamart.v1"
    assert told["ranker_serves"] is False
    assert told["ranker_why"] == "no more than chance"
    assert all(0 <= item["p_purchase"] <= 1 for item in told["ranked"])
    assert all("p_purchase" not in item for item in [*told["items"], *told["retrieved"]])
    serving = changed(service, policy=Policy(new_share=0.0))
    ranked = payload(recommender(service, serving)(ask))
    assert ranked["ranker_serves"] is True
    assert "ranked" not in ranked
    assert told["ranked"] == ranked["items"]  # with its reasons
    asked = payload(recommender(service, as_shadow(service))(replace(ask, explain=False)))
    assert not {"ranker", "ranker_serves", "ranked", "retrieved"} & set(asked)


def test_a_shadow_that_fails_costs_the_list_nothing(service: Service) -> None:
    class Broken:
        def scores(self, *args: Any) -> Any:
            raise RuntimeError("no")

    shadow = as_shadow(service)
    broken = replace(shadow, second=replace(shadow.second, ranker=Broken()))
    ask = Ask(customer(service, "c010"), explain=True)
    answer = recommender(service, broken)(ask)
    assert answer.items == recommender(service, shadow)(ask).items
    assert answer.step == "full"
    assert answer.notes == ("rank.lambdamart.v1 failed",)
    assert payload(answer)["ranked"] == []


def test_a_pipeline_may_let_a_shadow_serve_and_an_old_ranker_serves(service: Service) -> None:
    shadow = as_shadow(service)
    assert as_served(shadow.second, "auto") == shadow.second
    assert as_served(shadow.second, "never") is None
    served = as_served(shadow.second, "always")
    assert served is not None
    assert served.serves
    made = ranker_artifact(served.name, served.ranker, served.sources, {}, window_days=28.0)
    old = replace(made, facts={k: v for k, v in made.facts.items() if k not in ("serves", "why")})
    again = restore_second_stage(
        old, registry(), served=shadow.retriever, served_name=shadow.retriever_name, popular=shadow.popular
    )
    assert again.serves


def test_training_keeps_a_ranker_that_is_not_better_as_a_shadow(
    ranked_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_chance = Interval(0.003, -0.001, 0.007)
    monkeypatch.setattr(choose, "paired_difference", lambda *args, **options: by_chance)
    unsure = SHOP.model_copy(update={"rank": RANK.model_copy(update={"use": "auto"})})
    with Store.open(ranked_shop) as store:
        manifest = train(
            store, unsure, registry=registry(), progress=Silent(), seed=1, code_version="test", until=END
        )
        found = read(ranked_shop / ARTIFACTS / manifest.artifacts["ranker"])
    told = manifest.evaluation["ranking"]
    assert told["row"]["metrics"]["ndcg gained@12"]["low"] == -0.001
    assert (told["served"], told["shadow"]) == (None, "rank.lambdamart.v1")
    assert "the retrieved order serves" in told["reason"]
    assert found.facts["serves"] is False
    assert found.facts["why"] == told["reason"]
    assert not told["row"]["selected"]

"""The decision log joined with events: simulated with a known effect, and with none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storewise.data.stores import Store
from storewise.engine.experiment.config import Experiment
from storewise.engine.experiment.log import outcomes, read_log
from storewise.engine.experiment.report import planned_size, results
from storewise.testing.experiment_log import write_log
from storewise.testing.small_shop import END, open_store

HALVES = {"control": {"share": 0.5}, "new": {"share": 0.5}}
EXPERIMENT = Experiment(name="test", variants=HALVES, planned=600, outcome_days=1)  # type: ignore[arg-type]
NOW = END + timedelta(days=16)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "shop") as found:
        yield found


def asked(store: Store, experiment: Experiment = EXPERIMENT, **options: Any) -> dict[str, Any]:
    given = {"start": END, "shoppers": 600} | options
    write_log(store, experiment, **given)
    return results(store, experiment, now=NOW)


def metric(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(m for m in found["metrics"] if m["metric"] == name)


def test_a_known_effect_is_found(store: Store) -> None:
    found = asked(store, buys={"control": 0.2, "new": 0.45})
    gap = metric(found, "conversion")["differences"]["new"]
    assert gap["low"] > 0
    assert gap["low"] < 0.25 < gap["high"]
    assert gap["p"] < 0.05
    assert found["verdicts"]["new"]["code"] in ("better", "better_if_safe")
    assert sum(v["counted"] for v in found["variants"]) == 600
    assert not found["split"]["broken"]


def test_a_loss_is_called_so(store: Store) -> None:
    found = asked(store, buys={"control": 0.5, "new": 0.2})
    assert found["verdicts"]["new"]["code"] in ("worse", "harmed")
    assert metric(found, "revenue")["differences"]["new"]["guard"] in ("open", "harmed")


def test_without_an_effect_there_is_no_decision(store: Store) -> None:
    found = asked(store, buys={"control": 0.3, "new": 0.3})
    told = found["verdicts"]["new"]
    assert told["code"] == "undecided"
    assert told["more"] > 1000
    assert told["text"] == f"no decision yet: needs about {told['more']:,} more shoppers"
    assert metric(found, "conversion")["differences"]["new"]["p"] > 0.05


def test_many_experiments_without_effect_are_rarely_called(tmp_path: Path) -> None:
    """Twelve, each looked at every day: three wrong ones would be a chance of 2 in 100."""
    wrong = 0
    with open_store(tmp_path / "shop") as store:
        for seed in range(12):
            one = Experiment(name=f"t{seed}", variants=HALVES, planned=300, outcome_days=1)  # type: ignore[arg-type]
            write_log(store, one, start=END, shoppers=150, buys={"control": 0.3, "new": 0.3}, seed=seed)
        for seed in range(12):
            one = Experiment(name=f"t{seed}", variants=HALVES, planned=300, outcome_days=1)  # type: ignore[arg-type]
            found = results(store, one, now=NOW)
            wrong += metric(found, "conversion")["differences"]["new"]["p"] <= 0.05
    assert wrong <= 2


def test_revenue_is_steadier_with_what_was_spent_before(store: Store) -> None:
    found = asked(store, buys={"control": 1.0, "new": 1.0})
    revenue = metric(found, "revenue")
    assert revenue["cuped_rho"] > 0.9
    width = revenue["variants"]["new"]["high"] - revenue["variants"]["new"]["low"]
    table = outcomes(read_log(store, EXPERIMENT, until=NOW), EXPERIMENT)
    mine = table.filter(table["variant"] == "new")["revenue"].to_numpy()
    assert width < 0.5 * 2 * 1.96 * mine.std() / len(mine) ** 0.5


def test_clicks_belong_to_the_latest_list_that_showed_the_product(store: Store) -> None:
    found = asked(store, buys={"control": 0.0, "new": 0.0})
    # each shopper has two lists, and opens one product of the first in 0.4 of the cases
    assert metric(found, "click_through")["variants"]["new"]["value"] == pytest.approx(0.2, abs=0.05)


def test_the_series_is_cumulative_and_ends_now(store: Store) -> None:
    found = asked(store, buys={"control": 0.2, "new": 0.4})
    series = metric(found, "conversion")["series"]
    counts = [point["variants"]["new"]["shoppers"] for point in series]
    assert counts == sorted(counts)
    assert len(series) == 16  # 15 midnights and now
    assert series[-1]["at"] == NOW
    assert series[0]["differences"]["new"]["low"] is None  # too few for a conclusion
    assert series[-1]["differences"]["new"]["value"] == pytest.approx(
        metric(found, "conversion")["differences"]["new"]["value"]
    )


def test_a_shopper_counts_once_the_time_is_over(store: Store) -> None:
    write_log(store, EXPERIMENT, start=END, shoppers=100, days=10, buys={"control": 0.3, "new": 0.3})
    early = results(store, EXPERIMENT, now=END + timedelta(days=5))
    assert sum(v["shoppers"] for v in early["variants"]) == 50
    assert sum(v["counted"] for v in early["variants"]) == 41


def test_a_broken_split_is_called_before_anything_else(store: Store) -> None:
    found = asked(store, buys={"control": 0.1, "new": 0.9}, assign=False)
    assert found["split"]["broken"]
    assert found["verdicts"]["new"]["code"] == "broken_split"


def test_shoppers_of_two_variants_are_left_out(store: Store) -> None:
    write_log(store, EXPERIMENT, start=END, shoppers=100, buys={"control": 0.3, "new": 0.3})
    decision = {
        "at": END,
        "customer_id": "sim1-0",
        "slot": "home",
        "step": "full",
        "items": [],
        "experiment": "test",
    }
    store.log_decisions([{**decision, "decision_id": f"x{v}", "variant": v} for v in ("control", "new")])
    found = results(store, EXPERIMENT, now=NOW)
    assert found["mixed"] == 1
    assert sum(v["shoppers"] for v in found["variants"]) == 99


def test_three_variants_are_each_compared_and_share_alpha(store: Store) -> None:
    three = Experiment(
        name="three",
        variants={"control": {"share": 0.4}, "b": {"share": 0.3}, "a": {"share": 0.3}},  # type: ignore[arg-type]
        planned=600,
        outcome_days=1,
    )
    found = asked(store, three, shoppers=900, buys={"control": 0.2, "a": 0.6, "b": 0.2})
    assert list(found["verdicts"]) == ["a", "b"]
    assert found["verdicts"]["a"]["code"].startswith("better")
    assert found["verdicts"]["b"]["code"] == "undecided"


def test_nothing_logged_yet(store: Store) -> None:
    found = results(store, EXPERIMENT, now=NOW)
    assert found["started_at"] is None
    assert found["verdicts"]["new"]["code"] == "undecided"
    assert metric(found, "revenue")["variants"]["new"]["value"] is None
    assert [v["shoppers"] for v in found["variants"]] == [0, 0]


def test_planning() -> None:
    found = planned_size(0.1, 0.2)
    assert 3841 < found["looking all the time"] < 2.5 * 3841

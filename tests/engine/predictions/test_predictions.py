"""From a shop's tables to served probabilities with reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from storewise.core import artifact
from storewise.core.errors import ConfigError, InputError, UnknownName
from storewise.core.progress import Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.data.schema import PRODUCTS
from storewise.engine.predict import Case, payload, predictions_of, reasons, rows_for
from storewise.engine.predictions.actor import Actor, trail_of
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.predictions.export import predictions_of_all, write_all
from storewise.engine.predictions.learn import learn
from storewise.engine.predictions.learned import Predictions
from storewise.engine.predictions.words import WORDS, said
from storewise.engine.registry import registry
from storewise.engine.serving.live import Live
from storewise.predict.base import Rows
from storewise.predict.features import EventLog, Shelf, customer_rows
from storewise.predict.features.events import DAY_S
from storewise.predict.shift import UNMOVED
from storewise.testing import small_shop

NOW = small_shop.END.timestamp()


@pytest.fixture(scope="module")
def habits() -> Dataset:
    """300 customers: even ones order every 10 days or so, odd ones every 60; prices are in the events."""
    rng = np.random.default_rng(0)
    rows = []
    for customer in range(300):
        at = float(rng.uniform(0, 60))
        while at < 360:
            both = rng.choice(5, 2, replace=False) + 5 * (customer % 2)
            rows += [(customer, int(product), at * DAY_S, float(rng.integers(1, 4))) for product in both]
            at += float(rng.exponential(10 if customer % 2 == 0 else 60)) + 1
    columns = np.array(rows)
    events = pl.DataFrame(
        {
            "customer": pl.Series(columns[:, 0].astype(np.int32)),
            "product": pl.Series(columns[:, 1].astype(np.int32)),
            "kind": ["purchase"] * len(rows),
            "at": columns[:, 2],
            "quantity": pl.Series(columns[:, 3].astype(np.int32)),
            "unit_price_minor": [500] * len(rows),
        }
    )
    behaviour = Interactions.build(
        columns[:, 0], columns[:, 1], at=columns[:, 2], n_customers=300, n_products=10
    )
    whole = Dataset.from_interactions(behaviour)
    return Dataset(whole.products, whole.customer_ids, behaviour, extra={"events": events})


@pytest.fixture(scope="module")
def learned(habits):
    made = learn(habits, PredictConfig(), registry(), seed=1, progress=Silent())
    assert made is not None
    return made


def test_report(learned):
    _, report = learned
    found = report["purchase"]
    assert found["auc"]["low"] > 0.7
    assert found["ece"]["value"] < 0.1
    assert found["chosen"] != "predict.rate.v1"
    assert {"mean", "rate", "n", "low", "high"} <= set(found["calibration"][0])
    assert {"share", "gain", "lift"} <= set(found["lift"][0])
    assert sum(point["n"] for point in found["calibration"]) > 250
    why = found["why"]
    assert why["code"] in ("least_of", "simplest")
    assert why["model"] == found["chosen"]
    for told in (why["other"], f"{why['rows']:,} validation rows", f"{why['loss']:.4g}"):
        assert told in found["reason"]
    assert found["judged"].startswith(f"{found['judged_on']['rows']:,} later rows")
    assert report["value"]["why"]["code"] == "least_deviance"
    assert report["value"]["chosen"] in ("predict.bg_nbd.v1", "amount.pace.v1")
    assert report["click"] == {
        "about": "clicks on a product that is shown", "predictable": False,
        "reason": "not predictable from this shop: no impressions and no clicks",
    }  # fmt: skip


def test_artifact_answers_as_what_was_learned(learned, tmp_path):
    made, _ = learned
    again = Predictions.of(artifact.read(artifact.write(made.artifact({}), tmp_path)), registry())
    assert list(again.learned) == list(made.learned)
    width = None
    for name, found in made.learned.items():
        if found.target.unit == "customer":
            log = EventLog.build([0, 0], [1, 2], [5 * DAY_S, 30 * DAY_S], n_customers=1, n_products=10)
            rows = customer_rows(log.trails([0], 40 * DAY_S), made.facts)
            width = rows.numbers.shape
            np.testing.assert_array_equal(found(rows).value, again.learned[name](rows).value)
    assert width is not None


def test_what_serves_knows_the_catalogue_of_today(habits):
    """A row that was replaced after the last event: past moments see the old category, what serves today's."""
    past = PRODUCTS.conform(pl.DataFrame({"product_id": ["3"], "title": ["x"], "category": ["old"]}))
    until = pl.Series("until", [datetime(2026, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    before = (past.with_columns(until), None)
    shelf = Shelf.of(habits, None, *before)
    assert shelf.at(300 * DAY_S).categories.tolist() == [-1, -1, -1, 0, -1, -1, -1, -1, -1, -1]
    config = PredictConfig(targets=("churn",), candidates=("predict.rate.v1",))
    made = learn(habits, config, registry(), seed=1, progress=Silent(), before=before)
    assert made is not None
    assert made[0].facts.categories.tolist() == [-1] * 10


def test_same_seed_same_model(habits, learned):
    config = PredictConfig(targets=("churn",))
    again = learn(habits, config, registry(), seed=1, progress=Silent())
    assert again is not None
    assert again[1]["churn"]["auc"] == learned[1]["churn"]["auc"]


@pytest.mark.parametrize("model", ["predict.logistic.v1", "predict.lightgbm.v1", "predict.blend.v1"])
def test_named_reasons_move_the_prediction_as_said(habits, model):
    """Take away the named reasons that raise a score: it falls. Those that lower it: it rises."""
    config = PredictConfig(targets=("purchase",), candidates=(model,))
    made = learn(habits, config, registry(), seed=1, progress=Silent())
    assert made is not None
    found = made[0].learned["purchase"]
    assert found.predictor is not None
    log = EventLog.of(habits)
    rows = customer_rows(log.trails(np.arange(60), 330 * DAY_S), made[0].facts)
    said = found.predictor.contributions(rows)
    assert said is not None
    scores = found.predictor.scores(rows)
    # TreeSHAP and linear terms are exact: they add up to the score.
    np.testing.assert_allclose(1 / (1 + np.exp(-(said.base + said.values.sum(axis=1)))), scores, atol=1e-6)
    others = rows.numbers
    right = []
    for place in range(len(rows)):
        named = reasons(found, rows.part(np.array([place])))
        for sign in (1, -1):
            taken = [rows.number_names.index(why.feature) for why in named if why.log_odds * sign > 0.1]
            if taken:
                numbers = np.repeat(rows.numbers[place : place + 1], len(others), axis=0)
                numbers[:, taken] = others[:, taken]  # what these say of other shoppers, in turn
                without = found.predictor.scores(Rows.of(numbers=numbers, number_names=rows.number_names))
                right.append(np.sign(scores[place] - without.mean()) == sign)
    assert len(right) > 50
    assert np.mean(right) > 0.9


def test_tiny_shop_says_which_rule_and_why():
    """20 orders: nothing to choose by."""
    behaviour = Interactions.build(
        np.arange(20) % 7, np.arange(20) % 3, at=np.arange(20) * 9.0 * DAY_S, n_customers=7, n_products=3
    )
    made = learn(Dataset.from_interactions(behaviour), PredictConfig(), registry(), seed=0, progress=Silent())
    assert made is not None
    found = made[1]["purchase"]
    assert found["chosen"] == "predict.rate.v1"
    assert "the overall rate serves" in found["reason"]
    assert found["why"]["code"] == "few_events"
    assert f"{found['why']['events']} events in {found['why']['cases']} cases" in found["reason"]
    assert 0 <= found["rate"]["low"] <= found["rate"]["value"] <= found["rate"]["high"] <= 1
    assert made[0].learned["purchase"].predictor is None


def test_one_class_in_the_window():
    """Everybody buys every day: no yes without a no, so the rate serves, with an interval that ends at 1."""
    days = np.tile(np.arange(200), 30)
    behaviour = Interactions.build(
        np.repeat(np.arange(30), 200), days % 4, at=days * DAY_S, n_customers=30, n_products=4
    )
    made = learn(
        Dataset.from_interactions(behaviour), PredictConfig(targets=("purchase",)), registry(), seed=0,
        progress=Silent(),
    )  # fmt: skip
    assert made is not None
    assert made[1]["purchase"]["rate"]["value"] == 1.0
    assert made[1]["purchase"]["rate"]["low"] > 0.9


def test_three_months_are_told_as_too_few():
    """Two windows and nothing older to learn from: everybody's rate, with the reason."""
    rng = np.random.default_rng(3)
    behaviour = Interactions.build(
        rng.integers(0, 200, 600), rng.integers(0, 4, 600), at=np.sort(rng.uniform(0, 90, 600)) * DAY_S,
        n_customers=200, n_products=4,
    )  # fmt: skip
    config = PredictConfig(targets=("purchase",))
    made = learn(Dataset.from_interactions(behaviour), config, registry(), seed=0, progress=Silent())
    assert made is not None
    found = made[1]["purchase"]
    assert found["chosen"] == "predict.rate.v1"
    assert "of 2 windows are too few to choose and check a predictor by" in found["reason"]
    assert 0 < found["rate"]["low"] < found["rate"]["value"] < found["rate"]["high"] < 1


def test_nobody_ever_comes_back():
    behaviour = Interactions.build(
        np.arange(400), np.arange(400) % 4, at=np.linspace(0, 300, 400) * DAY_S, n_customers=400, n_products=4
    )
    config = PredictConfig(targets=("purchase",))
    made = learn(Dataset.from_interactions(behaviour), config, registry(), seed=0, progress=Silent())
    assert made is not None
    found = made[1]["purchase"]
    assert found["chosen"] == "predict.rate.v1"
    assert "0 events" in found["reason"]
    assert found["rate"]["value"] == 0.0
    assert found["rate"]["high"] < 0.01


def test_season_of_a_shop(learned):
    """Of 360 days nothing can be said of a season; a shop of three years is moved, as its report says."""
    told = learned[1]["purchase"]["season"]
    assert (told["code"], told["log_ratio"]) == ("short", 0.0)
    assert "No season" in told["reason"]
    rng = np.random.default_rng(2)
    chance = 0.01 * np.exp(0.8 * np.sin(2 * np.pi * np.arange(1_060) / 364))
    who, when = np.nonzero(rng.random((400, 1_060)) < chance)
    behaviour = Interactions.build(who, when % 4, at=when * DAY_S, n_customers=400, n_products=4)
    config = PredictConfig(targets=("purchase",), candidates=("predict.logistic.v1",), windows=2)
    made = learn(Dataset.from_interactions(behaviour), config, registry(), seed=0, progress=Silent())
    assert made is not None
    season = made[1]["purchase"]["season"]
    assert season["code"] == "season"
    assert season["log_ratio"] > 0.1
    moved = made[0].learned["purchase"]
    assert moved.calibration.shift.log_ratio == season["log_ratio"]
    rows = customer_rows(
        EventLog.of(Dataset.from_interactions(behaviour)).trails([0, 1], 1_060 * DAY_S), made[0].facts
    )
    still = replace(moved, calibration=replace(moved.calibration, shift=UNMOVED))
    assert (moved(rows).value > still(rows).value).all()
    assert (moved(rows).high - moved(rows).low > still(rows).high - still(rows).low).all()


def test_short_history():
    behaviour = Interactions.build([0, 1], [0, 1], at=[0, 9 * DAY_S], n_customers=2, n_products=2)
    made = learn(Dataset.from_interactions(behaviour), PredictConfig(), registry(), seed=0, progress=Silent())
    assert made is not None
    assert made[1]["purchase"]["predictable"] is False
    assert "spans 9 days" in made[1]["purchase"]["reason"]


def test_unknown_target():
    shop = Dataset.of([0], [0], n_customers=1, n_products=1)
    with pytest.raises(ConfigError, match="There is no target 'buy'"):
        learn(shop, PredictConfig(targets=("buy",)), registry(), seed=0, progress=Silent())


def test_no_targets():
    shop = Dataset.of([0], [0], n_customers=1, n_products=1)
    assert learn(shop, PredictConfig(targets=()), registry(), seed=0, progress=Silent()) is None


def test_served(trained_shop):
    service = small_shop.open_service(trained_shop)
    service.load_once()
    try:
        known = service.shoppers.customer("c001")
        told = payload(service.predict(known, product="p25"))
        by_name = {found["target"]: found for found in told["predictions"]}
        assert {"purchase", "churn", "product"} <= set(by_name)
        for found in told["predictions"]:
            assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
        assert by_name["product"]["basis"] == "model"
        reasons = by_name["product"]["reasons"]
        assert reasons
        assert all(
            reason["effect"] == ("raises" if reason["log_odds"] > 0 else "lowers") for reason in reasons
        )
        sizes = [abs(reason["log_odds"]) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert "product" not in {f["target"] for f in payload(service.predict(known))["predictions"]}
        assert told["not_predictable"]
        with pytest.raises(UnknownName, match="nothing"):
            service.predict(known, product="nothing")
    finally:
        service.close()


def test_unknown_and_private(trained_shop):
    service = small_shop.open_service(trained_shop)
    service.load_once()
    try:
        nobody = payload(service.predict(service.shoppers.customer("nobody")))
        assert nobody["known"] is False
        assert all(found["basis"] == "base rate" for found in nobody["predictions"])
        assert all(found["value"] == found["rate"] for found in nobody["predictions"])
        assert nobody["notes"]
        private = payload(service.predict(service.shoppers.customer(small_shop.PRIVATE)))
        assert private["personal"] is False
        assert private["predictions"] == []
    finally:
        service.close()


def test_serving_features_are_training_features(trained_shop):
    """The trail of the running shop makes the rows that the store's own dataset makes."""
    from storewise.data.shop import dataset
    from storewise.data.stores import Store

    service = small_shop.open_service(trained_shop)
    service.load_once()
    try:
        snapshot = service.current()
        with Store.open(trained_shop, create=False) as store:
            shop = dataset(store)
        log = EventLog.of(shop)
        facts = predictions_of(snapshot).facts.at(NOW)
        for name in shop.customer_ids[:10]:
            served = trail_of(snapshot, Actor(name), Live(), predictions_of(snapshot), NOW)
            rows = rows_for(predictions_of(snapshot).learned["purchase"], Case(served, facts))
            assert rows is not None
            wanted = customer_rows(log.trails([shop.customer_index[name]], NOW), facts)
            np.testing.assert_array_equal(rows.numbers, wanted.numbers)
    finally:
        service.close()


def test_live_events_count(shop):
    service = small_shop.open_service(shop, now=small_shop.END + timedelta(days=2))
    service.start()
    try:
        who = service.shoppers.customer("c001")
        before = service.predict(who, product="p25")
        event = {
            "kind": "purchase", "product_id": "p25", "customer": "c001", "event_id": "live-1",
            "at": (small_shop.END + timedelta(days=1)).isoformat(),
        }  # fmt: skip
        checked = service.check_events([event])
        service.write_events(checked.rows).result(10)
        after = service.predict(who, product="p25")
        values = [{p.target: p.value for p in answer.predictions}["product"] for answer in (before, after)]
        assert values[0] != values[1]
    finally:
        service.close()


def test_export(trained_shop, tmp_path):
    service = small_shop.open_service(trained_shop)
    service.load_once()
    try:
        table = predictions_of_all(service.current(), small_shop.END)
        assert table.height == 59  # of 60, one wants nothing personal
        assert {"purchase", "purchase_low", "purchase_high", "churn"} <= set(table.columns)
        one = service.predict(table["customer_id"][3])
        wanted = {found.target: found.value for found in one.predictions}
        assert table["purchase"][3] == wanted["purchase"]
        assert write_all(service.current(), small_shop.END, tmp_path / "all.csv") == 59
        assert pl.read_csv(tmp_path / "all.csv").height == 59
        with pytest.raises(ConfigError, match="neither CSV nor Parquet"):
            write_all(service.current(), small_shop.END, tmp_path / "all.xls")
    finally:
        service.close()


def test_amounts_are_said_in_the_currency_of_the_shop():
    minor = float(np.log1p(1_234_600))
    assert said("spend_log", minor, "CNY") == "spent 12,346 CNY so far"
    assert said("spend_log", minor, "KWD") == "spent 1,235 KWD so far"
    assert said("order_value_log", float(np.log1p(250)), "GBP") == "orders of 2.50 GBP on average"
    assert said("order_value_log", float(np.log1p(250)), "JPY") == "orders of 250 JPY on average"
    with pytest.raises(InputError, match="ISO 4217"):
        said("spend_log", minor, "yuan")


def test_every_feature_has_words(trained_shop):
    service = small_shop.open_service(trained_shop)
    service.load_once()
    try:
        snapshot = service.current()
        found = predictions_of(snapshot)
        trail = trail_of(snapshot, Actor(next(iter(snapshot.customer_index))), Live(), found, NOW)
        for name in ("purchase", "product"):
            rows = rows_for(found.learned[name], Case(trail, found.facts, 3))
            assert rows is not None
            assert set(rows.number_names) <= set(WORDS)
    finally:
        service.close()

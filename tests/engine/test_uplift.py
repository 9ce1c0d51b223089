"""Choosing an uplift model, the plan it makes, and the protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.core.progress import Silent
from storewise.engine import benchmark, uplift
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.targeting import decide, plan, worth
from storewise.predict.base import Rows
from storewise.predict.uplift.base import Campaign
from storewise.testing.uplift import small_campaign


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = small_campaign(2000, arms=3)
    file = tmp_path_factory.mktemp("campaign") / "campaign.csv"
    pl.DataFrame(
        {
            "taste": data.rows.numbers[:, 0], "other": data.rows.numbers[:, 1],
            "zone": np.array(["", "a", "b", "c"])[data.rows.categories[:, 0]],
            "arm": np.array(["control", "letter", "call"])[data.arms], "bought": data.outcomes.astype(int),
        }
    ).write_csv(file)  # fmt: skip
    return file


def test_parts_are_disjoint_complete_and_alike() -> None:
    data = small_campaign(1000)
    parts = uplift.stratified(data, [0.6, 0.4], 1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert [len(part) for part in parts] == pytest.approx([600, 400], abs=4)
    shares = [data.arms[part].mean() for part in parts]
    assert shares[0] == pytest.approx(shares[1], abs=0.005)


def test_a_huge_campaign_is_drawn_from_and_said_so() -> None:
    from storewise.data.sources.campaign import CampaignTable

    data = small_campaign(1000)
    table = CampaignTable(pl.DataFrame({"x": np.arange(1000)}), data.outcomes, data.arms, ("no", "yes"), ())
    fewer = uplift.limited(table, 1, most=300)
    n = len(fewer.arms)
    assert fewer.features.height == len(fewer.outcome) == n
    assert abs(n - 300) <= 4  # each stratum is rounded
    assert fewer.notes == (f"{n} of 1,000 people, drawn at random",)
    assert fewer.outcome.mean() == pytest.approx(data.outcomes.mean(), abs=0.01)
    x = fewer.features["x"].to_numpy()
    assert (fewer.arms == data.arms[x]).all()
    assert uplift.limited(table, 1) is table


def test_joint_figures_of_one_arm_are_the_plain_ones() -> None:
    from storewise.metrics.uplift import FIGURES, Trial, figures

    data = small_campaign(800)
    scores = data.rows.numbers[:, :1].astype(float)
    points, draws = uplift.joint_areas({"x": scores}, data, seed=3)["x"]
    point, drawn = points[0], draws[0]
    plain = figures(scores[:, 0], Trial(data.outcomes, data.arms == 1), seed=3)
    low = np.quantile(drawn, 0.025, axis=1)
    for i, name in enumerate(FIGURES):
        assert (plain[name].value, plain[name].low) == pytest.approx((point[i], low[i]))


def test_validation_asks_a_model_that_has_not_seen_the_person() -> None:
    """40 columns of noise: a model that remembers people looks good on them, cross-fitted it is chance."""
    plain = uplift.Candidate("uplift.two_model.v1", {"base": "linear"})
    seen, unseen = [], []
    for seed in range(4):
        data = small_campaign(1000, seed=seed)
        noise = np.random.default_rng(seed).normal(size=(1000, 40))
        rows = Rows.of(numbers=noise, number_names=tuple(f"x{i}" for i in range(40)))
        blind = Campaign(rows, data.outcomes, data.arms, 2)
        seen.append(uplift.mean_qini(plain.train(blind, 1).effects(rows), blind))
        folds = uplift.stratified(blind, [1.0] * 3, 1)
        unseen.append(uplift.mean_qini(uplift.cross_fitted(plain, blind, folds, 1), blind))
    assert np.mean(seen) > 0.03
    assert abs(np.mean(unseen)) < 0.02


def test_the_budget_leaves_every_model_one_config() -> None:
    ticks = iter(range(0, 10_000, 100))
    names = ["uplift.two_model.v1", "uplift.response.v1"]
    found = uplift.choose(
        small_campaign(400), names, budget_s=1, seed=1, progress=Silent(), clock=lambda: next(ticks)
    )
    assert [one.trials for one in found] == [1, 1]


def test_a_trial_out_of_balance_gets_propensities() -> None:
    from storewise.data.sources.campaign import CampaignTable

    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    arms = (rng.random(2000) < 1 / (1 + np.exp(-x))).astype(np.int64)
    features = pl.DataFrame({"x": x})
    table = CampaignTable(features, (x > 0).astype(float), arms, ("no", "yes"), ())
    data, gap, note = uplift.campaign_of(table, uplift.fields_of(table, 1))
    assert gap > 0.5
    assert data.propensity is not None
    assert note is not None
    assert "propensities are estimated" in note


def test_the_plan_messages_those_it_pays_for(campaign: Path) -> None:
    scored, report = plan(campaign, "arm", "bought", cost=1.0, value=10.0, models=["two_model"], minutes=0.1)
    assert scored.height == 2000
    told = scored["message"].is_not_null()
    paid = scored.select(pl.max_horizontal("effect_letter", "effect_call")).to_series()
    assert (told == (10.0 * paid > 1.0)).all()
    assert report["worth"]["plan"]["value"] > report["worth"]["everybody letter"]["value"]
    assert report["worth"]["plan"]["value"] > 0
    assert sum(report["messages"].values()) == told.sum()


def test_people_who_were_not_in_the_campaign(campaign: Path, tmp_path: Path) -> None:
    people = pl.DataFrame(
        {"taste": [2.0, -2.0], "other": [0.0, 0.0], "zone": ["a", "new"], "name": ["x", "y"]}
    )
    people.write_csv(tmp_path / "people.csv")
    scored, _ = plan(
        campaign, "arm", "bought", people=tmp_path / "people.csv", models=["x_learner"], minutes=0.1
    )
    assert scored["name"].to_list() == ["x", "y"]
    assert scored["effect_call"][0] > scored["effect_call"][1]
    people.drop("other").write_csv(tmp_path / "less.csv")
    with pytest.raises(DataError, match="no column 'other'"):
        plan(campaign, "arm", "bought", people=tmp_path / "less.csv", models=["x_learner"], minutes=0.1)


def test_worth_is_the_truth_of_a_known_trial() -> None:
    data = small_campaign(20_000)
    truth = np.where(data.rows.numbers[:, :1] > 0, 0.2, 0.0)
    found = worth(truth, data, ("control", "letter"), cost=1.0, value=10.0, seed=1)
    assert found["plan"]["low"] < 0.5 < found["plan"]["high"]  # half of the people, 10 · 0.2 − 1 each
    assert found["everybody letter"]["low"] < 0.0 < found["everybody letter"]["high"]
    # the plan saves the cost of messaging the other half, whom it changes nothing for
    assert found["plan above everybody letter"]["low"] > 0.3


@pytest.mark.parametrize(
    ("cost", "value"), [(-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_bad_cost_and_value(campaign: Path, cost: float, value: float) -> None:
    with pytest.raises(ConfigError, match="cost"):
        plan(campaign, "arm", "bought", cost=cost, value=value)


def test_nobody_is_messaged_when_it_never_pays() -> None:
    arms, profit = decide(np.array([[0.1], [-0.1]]), cost=5.0, value=1.0)
    assert arms.tolist() == [0, 0]
    assert profit.sum() == 0


def test_the_protocol(campaign: Path) -> None:
    inputs = Inputs(data=campaign, treatment="arm", outcome="bought")
    report = benchmark.run("uplift", inputs, models=["two_model", "class_transformation"], minutes=0.2)
    assert [row["model"] for row in report["rows"] if row["selected"]] == [report["rows"][0]["model"]]
    assert report["rows"][0]["metrics"]["qini"]["value"] > 0.005
    assert {row["model"] for row in report["rows"] if row["simple"]} == {"uplift.response.v1"}
    arms = report["others"][0]
    assert [row["model"] for row in arms["rows"]] == ["control", "call", "letter"]
    assert (
        arms["rows"][1]["metrics"]["difference"]["low"]
        < 0.1
        < arms["rows"][1]["metrics"]["difference"]["high"]
    )
    curves = [row["curve"] for section in report["others"][1:] for row in section["rows"] if row["selected"]]
    assert len(curves) == 2
    assert len(curves[0]) == 101


def test_the_protocol_refuses(campaign: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs --treatment"):
        benchmark.run("uplift", Inputs(data=campaign, outcome="bought"))
    with pytest.raises(ConfigError, match="needs --data"):
        benchmark.run("uplift", Inputs(treatment="arm", outcome="bought"))
    with pytest.raises(UnknownName):
        benchmark.run("uplift", Inputs(data=campaign, treatment="arm", outcome="bought"), models=["magic"])
    with pytest.raises(ConfigError, match="is no uplift model"):
        benchmark.run(
            "uplift", Inputs(data=campaign, treatment="arm", outcome="bought"), models=["retrieve.ease.v1"]
        )
    (tmp_path / "few.csv").write_text("x,t,o\n" + "1,0,1\n2,1,0\n3,1,1\n" * 6)
    with pytest.raises(DataError, match="at least 20"):
        benchmark.run("uplift", Inputs(data=tmp_path / "few.csv", treatment="t", outcome="o"), minutes=0.1)
    (tmp_path / "one.csv").write_text("x,t,o\n" + "1,0,1\n2,1,1\n3,1,1\n" * 60)
    with pytest.raises(DataError, match="for everybody"):
        benchmark.run("uplift", Inputs(data=tmp_path / "one.csv", treatment="t", outcome="o"), minutes=0.1)


def test_the_published_means_of_a_real_campaign(shared_data: Path) -> None:
    from storewise.data.sources.campaign import read_campaign
    from storewise.metrics.effect import arm_effects

    file = shared_data / "hillstrom-email" / "hillstrom.csv.gz"
    if not file.exists():
        pytest.skip("no e-mail campaign among the shared data")
    table = read_campaign(file, "segment", "visit")
    means = {name: one.mean.value for name, one in zip(
        table.arm_names, arm_effects(table.outcome, table.arms, 3), strict=True)}  # fmt: skip
    assert {name: round(mean, 4) for name, mean in means.items()} == {
        "No E-Mail": 0.1062, "Mens E-Mail": 0.1828, "Womens E-Mail": 0.1514,
    }  # fmt: skip
    assert not {"conversion", "spend"} & set(table.features.columns)

"""The protocol ``off-policy`` on small files, and on Open Bandit against the published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.engine.benchmark import run
from storewise.engine.protocols.inputs import Inputs

ROOT = Path(__file__).parents[3]
CHANCES = np.array([0.2, 0.5, 0.8])
POLICY = np.array([0.1, 0.2, 0.7])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    n = 3_000
    places = rng.integers(1, 3, n)
    actions = rng.integers(0, 3, n)
    clicks = rng.random(n) < CHANCES[actions] / places
    log = pl.DataFrame(
        {
            "item_id": [f"sku-{a}" for a in actions],
            "position": places,
            "click": clicks.astype(int),
            "propensity_score": np.full(n, 1 / 3),
            "feature_age": rng.normal(size=n),
        }
    )
    own = rng.choice(3, n, p=POLICY)
    test = log.with_columns(
        pl.Series("item_id", [f"sku-{a}" for a in own]),
        pl.Series("click", (rng.random(n) < CHANCES[own] / places).astype(int)),
        pl.Series("propensity_score", POLICY[own]),
    )
    policy = pl.DataFrame({"action": [f"sku-{a}" for a in range(3)], "probability": POLICY})
    paths = {name: tmp_path / f"{name}.csv" for name in ("log", "test", "policy")}
    log.write_csv(paths["log"])
    test.write_parquet(paths["test"].with_suffix(".parquet"))
    paths["test"] = paths["test"].with_suffix(".parquet")
    policy.write_csv(paths["policy"])
    return paths


def value(report: dict, model: str, section: str | None = None) -> dict:
    part = report if section is None else next(p for p in report["others"] if p["question"] == section)
    return next(row for row in part["rows"] if row["model"] == model)["metrics"]["value"]


def ask(**inputs) -> dict:
    return run("off-policy", Inputs(**inputs), seed=1)


def test_estimates_stand_beside_what_the_policy_really_brought(files):
    report = ask(**files)
    truth = value(report, "on-policy", "on-policy")
    assert sum(row["selected"] for row in report["rows"]) == 1
    assert report["rows"][0]["model"] == "dr"
    for row in report["rows"]:
        found = row["metrics"]["value"]
        assert found["low"] <= truth["high"]
        assert truth["low"] <= found["high"]
        assert found["high"] - found["low"] <= row["metrics"]["bernstein"]["high"]
        assert 1_000 < row["metrics"]["effective"]["value"] < 3_000
    assert "cross-fitted squared error" in report["reason"]


def test_a_log_of_the_policy_tells_its_probabilities(files):
    report = ask(log=files["log"], policy=files["test"])
    known = ask(log=files["log"], policy=files["policy"])
    assert value(report, "ips")["value"] == pytest.approx(value(known, "ips")["value"], abs=0.02)
    assert value(report, "on-policy", "on-policy")["value"] > 0.3


def test_beta_posteriors_are_integrated(files, tmp_path):
    pl.DataFrame(
        {"action": ["sku-0", "sku-1", "sku-2"], "alpha": [1.0, 1.0, 900.0], "beta": [900.0, 900.0, 1.0]}
    ).write_csv(tmp_path / "beta.csv")
    report = ask(log=files["log"], policy=tmp_path / "beta.csv")
    log = pl.read_csv(files["log"])
    first = log.filter((pl.col("position") == 1) & (pl.col("item_id") == "sku-2"))
    second = log.filter((pl.col("position") == 2) & (pl.col("item_id") != "sku-2"))
    expected = (3 * first["click"].sum() + 1.5 * second["click"].sum()) / log.height
    assert value(report, "ips")["value"] == pytest.approx(expected, rel=1e-4)
    drawn = value(report, "ips", "probabilities by draws")["value"]
    assert drawn == pytest.approx(expected, rel=0.02)


def by_decision(log: pl.DataFrame) -> np.ndarray:
    """(n, 3): the older the shopper, the likelier the last action."""
    z = log["feature_age"].to_numpy()[:, None] * np.arange(3)
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("form", ["wide", "round", "segment and position"])
def test_a_policy_by_decision(files, tmp_path, form):
    """The three ways to say it, against the formulas."""
    log = pl.read_csv(files["log"]).with_row_index("round")
    chances = by_decision(log)
    names = [f"sku-{a}" for a in range(3)]
    policy = pl.DataFrame(dict(zip(names, chances.T, strict=True)))
    if form == "round":
        policy = pl.DataFrame({
            "round": np.repeat(np.arange(log.height), 3), "action": names * log.height, "probability": chances.ravel(),
        })  # fmt: skip
    if form == "segment and position":
        log = log.with_columns(
            segment=pl.when(pl.col("feature_age") > 0).then(pl.lit("old")).otherwise(pl.lit("young"))
        )
        table = np.random.default_rng(5).dirichlet(np.ones(3), 4)
        group = log["segment"].eq("old").to_numpy() * 2 + log["position"].to_numpy() - 1
        chances = table[group]
        policy = pl.DataFrame({
            "segment": np.repeat(["young", "old"], 6), "position": np.tile(np.repeat([1, 2], 3), 2),
            "action": names * 4, "probability": table.ravel(),
        })  # fmt: skip
    log.write_csv(tmp_path / "log.csv")
    policy.write_csv(tmp_path / "decisions.csv")
    found = ask(log=tmp_path / "log.csv", policy=tmp_path / "decisions.csv")
    taken = np.array([names.index(item) for item in log["item_id"]])
    w, r = chances[np.arange(log.height), taken] * 3, log["click"].to_numpy()
    assert value(found, "ips")["value"] == pytest.approx((w * r).mean())
    assert value(found, "snips")["value"] == pytest.approx((w * r).sum() / w.sum())
    assert found["rows"][0]["metrics"]["effective"]["value"] == pytest.approx(w.sum() ** 2 / (w**2).sum())


def test_a_policy_by_decision_that_does_not_fit(files, tmp_path):
    log = pl.read_csv(files["log"]).with_row_index("round")
    log.write_csv(tmp_path / "log.csv")
    chances = by_decision(log)
    wide = pl.DataFrame({f"sku-{a}": chances[:, a] for a in range(3)})
    long = pl.DataFrame({
        "round": np.repeat(np.arange(9), 3), "action": [f"sku-{a}" for a in range(3)] * 9,
        "probability": chances[:9].ravel(),
    })  # fmt: skip
    twice = long.with_columns(action=pl.when(pl.col("round") == 2).then(pl.lit("sku-0")).otherwise("action"))
    for policy, says in (
        (wide.head(5), "5 rows of probabilities, the log 3,000"),
        (wide * 2, "sum to 2.0000"),
        (long, "no line for round = '9'"),
        (twice, "'sku-0' stands twice for round = '2'"),
    ):
        policy.write_csv(tmp_path / "decisions.csv")
        with pytest.raises(DataError, match=says):
            ask(log=tmp_path / "log.csv", policy=tmp_path / "decisions.csv")


def test_columns_of_any_name(files, tmp_path):
    renamed = pl.read_csv(files["log"]).rename({"item_id": "what", "click": "yes", "propensity_score": "q"})
    renamed.write_csv(tmp_path / "renamed.csv")
    with pytest.raises(DataError, match=r"no column for action .*it has what, position, yes, q"):
        ask(log=tmp_path / "renamed.csv", policy=files["policy"])
    with pytest.raises(ConfigError, match="did you mean propensity"):
        ask(log=tmp_path / "renamed.csv", policy=files["policy"], columns="propensty=q")
    with pytest.raises(ConfigError, match="no column 'wat' for action; it has what, position"):
        ask(log=tmp_path / "renamed.csv", policy=files["policy"], columns="action=wat")
    named = pl.read_csv(files["policy"]).rename({"action": "what"})
    named.write_csv(tmp_path / "named.csv")
    report = ask(
        log=tmp_path / "renamed.csv",
        policy=tmp_path / "named.csv",
        columns="action=what,reward=yes,propensity=q",
    )
    assert value(report, "ips") == value(ask(log=files["log"], policy=files["policy"]), "ips")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("propensity_score", "0", "line 6: the propensity is 0 (1 such row in 3000)"),
        ("propensity_score", "", "line 6: the propensity is missing"),
        ("propensity_score", "1.01", "line 6: the propensity is 1.01"),
        ("propensity_score", "x", "line 6: the propensity is 'x', which is no number"),
        ("click", "", "line 6: the reward is missing"),
        ("click", "nan", "line 6: the reward is missing"),
        ("item_id", "", "line 6: there is no action"),
    ],
)
def test_bad_cells_are_named_with_their_line(files, column, cell, words):
    log = pl.read_csv(files["log"], infer_schema_length=0)
    cells = log[column].to_list()
    cells[4] = cell
    log.with_columns(pl.Series(column, cells)).write_csv(files["log"])
    with pytest.raises(DataError) as caught:
        ask(log=files["log"], policy=files["policy"])
    assert words in str(caught.value)


def test_other_bad_files(files, tmp_path):
    empty = tmp_path / "empty.csv"
    pl.read_csv(files["log"]).head(0).write_csv(empty)
    with pytest.raises(DataError, match="no rows|is empty|only a header"):
        ask(log=empty, policy=files["policy"])
    half = tmp_path / "half.csv"
    pl.read_csv(files["policy"]).head(2).write_csv(half)
    with pytest.raises(DataError, match=r"sum to 0\.3000, not 1"):
        ask(log=files["log"], policy=half)
    twice = tmp_path / "twice.csv"
    table = pl.read_csv(files["policy"])
    pl.concat([table, table]).write_csv(twice)
    with pytest.raises(DataError, match="line 5: action 'sku-0' stands twice"):
        ask(log=files["log"], policy=twice)
    with pytest.raises(DataError, match="is no policy"):
        ask(log=files["log"], policy=_only(files["log"], tmp_path, ["item_id", "position"]))
    with pytest.raises(ConfigError, match="needs --policy"):
        ask(log=files["log"])
    with pytest.raises(UnknownName, match="no estimator 'magic'"):
        run("off-policy", Inputs(log=files["log"], policy=files["policy"]), models=["magic"])


def test_files_that_name_actions_otherwise(files, tmp_path):
    pl.DataFrame({"action": [0, 1, 2], "probability": POLICY}).write_csv(tmp_path / "numbers.csv")
    with pytest.raises(DataError, match=r"No action of .* occurs in .* \(policy: '0' …, log: 'sku-"):
        ask(log=files["log"], policy=tmp_path / "numbers.csv")
    numbers = pl.read_csv(files["log"]).with_columns(pl.col("item_id").str.slice(4).cast(pl.Float64))
    numbers.write_parquet(tmp_path / "floats.parquet")
    report = ask(log=tmp_path / "floats.parquet", policy=tmp_path / "numbers.csv")
    assert (
        value(report, "ips")["value"] == value(ask(log=files["log"], policy=files["policy"]), "ips")["value"]
    )


def _only(path: Path, folder: Path, columns: list[str]) -> Path:
    pl.read_csv(path).select(columns).write_csv(folder / "only.csv")
    return folder / "only.csv"


def test_an_action_that_was_never_logged_is_said_so(files, tmp_path):
    table = pl.DataFrame({"action": ["sku-0", "new"], "probability": [0.4, 0.6]})
    table.write_csv(tmp_path / "new.csv")
    report = ask(log=files["log"], policy=tmp_path / "new.csv")
    assert "never shows with probability 0.600" in report["reason"]


def test_one_action_alone(files, tmp_path):
    pl.read_csv(files["log"]).with_columns(
        pl.lit("sku-0").alias("item_id"), pl.lit(1.0).alias("propensity_score")
    ).write_csv(tmp_path / "one.csv")
    pl.DataFrame({"action": ["sku-0"], "probability": [1.0]}).write_csv(tmp_path / "sure.csv")
    report = ask(log=tmp_path / "one.csv", policy=tmp_path / "sure.csv")
    mean = pl.read_csv(tmp_path / "one.csv")["click"].mean()
    assert value(report, "ips")["value"] == pytest.approx(mean)
    assert value(report, "snips")["value"] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("campaign", "ips", "snips", "reward"),
    [("men", 0.004534, 0.004604, 0.0069), ("women", 0.006813, 0.006811, 0.0046)],
)
def test_open_bandit_as_published(shared_data, campaign, ips, snips, reward):
    folder = shared_data / "open-bandit-small"
    report = ask(
        log=folder / "random" / f"{campaign}.csv.gz",
        policy=ROOT / "benchmarks" / "policies" / f"open-bandit-bts-{campaign}.csv",
        test=folder / "bts" / f"{campaign}.csv.gz",
    )
    assert value(report, "ips", "probabilities by draws")["value"] == pytest.approx(ips, abs=5e-7)
    assert value(report, "snips", "probabilities by draws")["value"] == pytest.approx(snips, abs=5e-7)
    # Integrated instead of drawn: the noise of 100,000 draws is all that lies between.
    assert value(report, "ips")["value"] == pytest.approx(ips, rel=3e-3)
    assert value(report, "on-policy", "on-policy")["value"] == pytest.approx(reward)

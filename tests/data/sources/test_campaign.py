"""Reading a campaign: arms, control, and columns that only a look back in time can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.data.sources.campaign import read_campaign


def frame(n: int = 4000) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    arm = rng.integers(0, 3, n)
    visit = rng.random(n) < 0.1 + 0.1 * (arm > 0)
    bought = visit & (rng.random(n) < 0.3)
    return pl.DataFrame(
        {
            "customer": [f"c{i}" for i in range(n)],
            "number": np.arange(n),
            "recency": rng.integers(1, 13, n),
            "women": rng.integers(0, 2, n),
            "zone": rng.choice(["city", "country"], n),
            "constant": np.ones(n),
            "arm": np.array(["No e-mail", "A", "B"])[arm],
            "visit": visit.astype(int),
            "bought": bought.astype(int),
            "spent": np.where(bought, rng.gamma(2, 20, n), 0.0).round(2),
            "opened": ((arm > 0) & (rng.random(n) < 0.4)).astype(int),
        }
    )


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    frame().write_csv(tmp_path / "campaign.csv")
    return tmp_path / "campaign.csv"


@pytest.mark.parametrize("outcome", ["visit", "bought", "spent"])
def test_what_comes_after_the_treatment_is_no_feature(campaign: Path, outcome: str) -> None:
    found = read_campaign(campaign, "arm", outcome)
    assert found.features.columns == ["recency", "women", "zone"]
    assert found.arm_names == ("No e-mail", "A", "B")
    assert np.bincount(found.arms).sum() == len(found.outcome) == 4000
    for column in ("opened", "customer", "number", "constant"):
        assert any(f"left out {column}:" in note for note in found.notes)


def test_parquet_and_packed_text_say_the_same(tmp_path: Path, campaign: Path) -> None:
    import gzip

    frame().write_parquet(tmp_path / "campaign.parquet")
    (tmp_path / "campaign.csv.gz").write_bytes(gzip.compress(campaign.read_bytes()))
    told = [
        read_campaign(tmp_path / name, "arm", "visit") for name in ("campaign.parquet", "campaign.csv.gz")
    ]
    for one in told:
        assert one.features.equals(read_campaign(campaign, "arm", "visit").features)
        assert one.arm_names == ("No e-mail", "A", "B")


def test_a_strong_feature_that_was_there_before_stays(tmp_path: Path) -> None:
    """Buyers of the past buy again, but not only they: nothing was known afterwards only."""
    rng = np.random.default_rng(2)
    loyal = rng.random(4000) < 0.3
    visit = rng.random(4000) < np.where(loyal, 0.9, 0.02)
    table = frame().with_columns(pl.Series("loyal", loyal.astype(int)), pl.Series("visit", visit.astype(int)))
    table.write_csv(tmp_path / "c.csv")
    assert "loyal" in read_campaign(tmp_path / "c.csv", "arm", "visit").features.columns


def test_numbers_as_arms_and_words_as_outcomes(tmp_path: Path) -> None:
    table = pl.DataFrame({"x": [1.5, 2.5, 3.5, 3.5] * 50, "got": [0, 1] * 100, "did": ["yes", "No"] * 100})
    table.write_csv(tmp_path / "c.csv")
    found = read_campaign(tmp_path / "c.csv", "got", "did")
    assert found.arm_names == ("0", "1")
    assert found.outcome[:2].tolist() == [1.0, 0.0]


def test_rows_without_treatment_are_counted(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("x,y,t,o\n" + "1,2,0,1\n2,2,1,0\n3,1,,1\n3,5,1,\n" * 30)
    found = read_campaign(tmp_path / "c.csv", "t", "o")
    assert len(found.outcome) == 60
    assert "60 rows without treatment or outcome" in found.notes


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (("segment", "visit", {}), ConfigError, "no column 'segment'"),
        (("arm", "sales", {}), ConfigError, "no column 'sales'"),
        (("arm", "arm", {}), ConfigError, "both treatment and outcome"),
        (("arm", "visit", {"exclude": ["nothing"]}), ConfigError, "--exclude"),
        (("arm", "visit", {"control": "C"}), ConfigError, "no row has the control 'C'"),
        (("zone", "visit", {}), ConfigError, "Say which with --control"),
        (("constant", "visit", {}), DataError, "has 1 different values"),
        (("customer", "visit", {}), DataError, "can be told apart"),
        (("arm", "zone", {}), DataError, "which is no number"),
        (("arm", "visit", {"exclude": ["recency", "women", "zone"]}), DataError, "no column left"),
    ],
)
def test_bad_requests(campaign: Path, options: tuple, error: type[Exception], says: str) -> None:
    treatment, outcome, more = options
    with pytest.raises(error, match=says):
        read_campaign(campaign, treatment, outcome, **more)


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "c.xlsx").write_text("x")
    for name in ("empty.csv", "c.xlsx", "nowhere.csv"):
        with pytest.raises(DataError):
            read_campaign(tmp_path / name, "a", "b")

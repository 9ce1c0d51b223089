"""storewise predict, and what train and evaluate say of predictors."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from storewise.cli.app import app
from storewise.cli.predictors import print_predictors

run = CliRunner().invoke


def test_one_customer(trained_shop):
    found = run(app, ["predict", "--customer", "c001", "--product", "p25", "--shop", str(trained_shop)])
    assert found.exit_code == 0, found.output
    assert "buys anything within the horizon (28 days)" in found.output
    assert "not predictable from this shop" in found.output


def test_json_is_what_the_api_says(trained_shop):
    found = run(app, ["predict", "--customer", "c001", "--shop", str(trained_shop), "--json"])
    told = json.loads(found.stdout)
    assert told["known"] is True
    assert {entry["target"] for entry in told["predictions"]} == {"purchase", "churn"}


def test_export(trained_shop, tmp_path):
    file = tmp_path / "all.csv"
    found = run(app, ["predict", "--export", str(file), "--shop", str(trained_shop)])
    assert found.exit_code == 0, found.output
    assert file.read_text().startswith("customer_id,purchase,purchase_low,purchase_high")


def test_nobody_is_named(trained_shop):
    found = run(app, ["predict", "--shop", str(trained_shop)])
    assert found.exit_code != 0
    assert "Nobody is named" in str(found.exception)


def test_the_table_of_predictors(capsys: pytest.CaptureFixture[str]):
    interval = {"value": 0.8, "low": 0.7, "high": 0.9}
    print_predictors(
        {
            "purchase": {"predictable": True, "kind": "probability", "chosen": "predict.logistic.v1",
                         "reason": "why", "rate": interval, "auc": interval},
            "click": {"predictable": False, "reason": "no clicks"},
        }
    )  # fmt: skip
    told = capsys.readouterr().out
    assert "0.800 [0.700, 0.900]" in told
    assert "click: no clicks" in told

"""The funnel: the simulation is what it says, and the study asks about all impressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storewise.core.progress import Silent
from storewise.engine.protocols import funnel
from storewise.engine.protocols.funnel import NAIVE, RATE, FunnelStudy, simulate
from storewise.engine.protocols.inputs import Inputs


def worlds(hidden: float) -> Any:
    return simulate(30_000, hidden=hidden, rng=np.random.default_rng(1), world=np.random.default_rng(2))


def test_labels_follow_the_truth() -> None:
    found = worlds(0.0)
    click, both = found.data.labels.T
    assert abs(click.mean() - found.p_click.mean()) < 0.01
    assert (both <= click).all()
    np.testing.assert_array_equal(both[click == 1], found.would[click == 1])
    assert abs(found.would.mean() - found.p_buy.mean()) < 0.01


def test_who_clicks_buys_more_and_most_where_a_wish_is_hidden() -> None:
    ratios = []
    for hidden in (0.0, 1.0):
        found = worlds(hidden)
        ratios.append(found.would[found.data.labels[:, 0] == 1].mean() / found.would.mean())
    assert 1.1 < ratios[0] < ratios[1]


def test_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra deep")
    monkeypatch.setattr(funnel, "WORLDS", {"seen": 0.0})
    monkeypatch.setattr(funnel, "LEAST", 600)
    report = FunnelStudy().run(
        Inputs(checkpoint=tmp_path), models=["esmm"], budget_s=0.1, seed=1, progress=Silent()
    )
    for section in (report,):
        assert [row["model"] for row in section["rows"]] == [RATE, NAIVE, "predict.esmm.v1"]
        assert sum(row["selected"] for row in section["rows"]) == 1
        assert section["rows"][0]["metrics"]["bias"]["low"] > 0  # the rate of the clicks is too high for all
        assert section["rows"][0]["metrics"]["auc"]["value"] == pytest.approx(0.5)
        for row in section["rows"]:
            assert (
                row["metrics"]["bias"]["low"]
                <= row["metrics"]["bias"]["value"]
                <= row["metrics"]["bias"]["high"]
            )

"""The comparison of libraries is fair and runs: here on data that takes a second."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import training_speed
from storewise.core.errors import MissingExtra
from storewise.engine.protocols.base import Question
from storewise.engine.protocols.leave_last_out import LeaveLastOut


@pytest.fixture
def question() -> Question:
    """Walks through circles of products."""
    rng = np.random.default_rng(0)
    lines = {}
    for user in range(300):
        circle, start = rng.integers(6), rng.integers(10)
        lines[f"u{user}"] = [f"{circle}-{(start + i) % 10}" for i in range(rng.integers(4, 8))]
    return LeaveLastOut().question_of(lines)


def test_ours_and_implicit_in_turn(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("implicit", reason="the peer is not installed")
    ials = training_speed.ours("retrieve.ials.v1", embedding_size=16)
    settings = (training_speed.Setting(0.03, 12), training_speed.Setting(0.03, 9))
    entered = [
        training_speed.Contestant("iALS", "storewise", settings, ials),
        training_speed.Contestant("iALS", "implicit", settings, training_speed.implicit_ials(16)),
    ]
    monkeypatch.setattr(training_speed, "contestants", lambda dimensions: entered)
    ours, theirs = training_speed.compare(question, dimensions=16, repeats=3, seed=1)
    assert (ours["library"], theirs["library"]) == ("storewise", "implicit")
    assert ours["ours / theirs"] == 1.0
    assert theirs["ours / theirs"] == pytest.approx(ours["seconds"] / theirs["seconds"])
    for row in (ours, theirs):
        assert 0 < row["fastest"] <= row["seconds"] <= row["slowest"]
        assert row["low"] <= row["ndcg@10"] <= row["high"]
        assert row["epochs"] == 9  # as good as twelve, and cheaper
        assert row["ndcg@10"] > 0.2  # chance is below .08: both have learned the circles


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"implicit.*storewise\[benchmarks\]"):
        training_speed.contestants(16)

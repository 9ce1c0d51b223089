"""The ablation of networks over histories: sequences and a shop, within its time, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storewise.core.errors import ConfigError
from storewise.core.progress import Silent
from storewise.engine.protocols import sequence_ablation
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.sequence_ablation import SequenceAblation, _part, question_of
from storewise.engine.protocols.sequence_variants import REFERENCE
from storewise.testing.walks import write_walks

SMALL = {"embedding_size": 8, "epochs": 2, "patience": 0, "batch_size": 32, "warm_up": 5}


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    return write_walks(tmp_path / "walks.txt", 120)


def run(inputs: Inputs, monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    pytest.importorskip("torch", reason="needs the extra deep")
    monkeypatch.setattr(sequence_ablation, "TRAINING", SMALL)
    options = {"models": None, "budget_s": 600.0, "seed": 1, "progress": Silent()} | given
    return SequenceAblation().run(inputs, **options)


def test_sequences(walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(Inputs(data=walks, checkpoint=tmp_path / "run"), monkeypatch)
    sections = [report, *report["others"]]
    assert [len(section["rows"]) for section in sections] == [5, 3, 2, 5]
    assert report["notes"] == []
    for section in sections:
        assert sum(row["selected"] for row in section["rows"]) == 1
        chosen = next(row for row in section["rows"] if row["selected"])
        assert chosen["validation"] == max(row["validation"] for row in section["rows"])
        base = next(row for row in section["rows"] if row["model"] == REFERENCE)
        assert base["metrics"]["ndcg@10 gained"] == {"value": 0.0, "low": 0.0, "high": 0.0}
        assert {"ndcg@10", "recall@10", "mrr@10", "ndcg@10 unmasked"} <= base["metrics"].keys()
    assert [row["simple"] for row in report["rows"]] == [True, False, False, False, False]
    again = run(Inputs(data=walks, checkpoint=tmp_path / "run"), monkeypatch)
    for one, two in zip(sections, [again, *again["others"]], strict=True):
        assert [row["metrics"] for row in one["rows"]] == [row["metrics"] for row in two["rows"]]


def test_no_time_leaves_sections_out_and_says_so(walks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(Inputs(data=walks), monkeypatch, budget_s=0.0, models=["gru4rec"])
    assert [row["model"] for row in report["rows"]] == [
        "popularity", "item neighbourhood", REFERENCE, "retrieve.gru4rec.v1",
    ]  # fmt: skip
    assert report["others"] == []
    assert "left out, no time: " in report["notes"][0]


def test_a_part_asks_its_own_customers(walks: Path) -> None:
    whole = question_of(walks, seed=1)
    part = _part(whole, 100, seed=1)
    behaviour = part.train.interactions
    assert 80 < len(behaviour) <= 100
    kept = set(behaviour.customers.tolist())
    assert set(part.validation.histories.customers.tolist()) == kept
    fold = next(part.folds())
    assert set(fold.test.histories.customers.tolist()) == kept
    assert set(fold.variants) == {"unmasked"}
    assert len(_part(whole, 10_000, seed=1).train.interactions) == len(whole.train.interactions)


def test_a_part_of_a_shop_is_its_latest_events(shop: Path) -> None:
    whole = question_of(shop, seed=1)
    part = _part(whole, 200, seed=1)
    at = part.train.interactions.at
    assert 200 <= len(at) < len(whole.train.interactions)
    assert at.min() >= np.quantile(whole.train.interactions.at, 0.5)
    assert len(part.validation) == len(whole.validation)


def test_a_shop_has_titles_for_two_towers(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(Inputs(data=shop), monkeypatch, models=["two_tower"])
    assert report["others"][0]["question"] == "content of two towers"
    assert [row["model"] for row in report["others"][0]["rows"]] == ["retrieve.two_tower.v1", "ids alone"]
    assert report["data"].startswith("with repeats: ")


def test_models_without_a_network_are_refused(walks: Path) -> None:
    with pytest.raises(ConfigError, match="No network is named"):
        SequenceAblation().run(
            Inputs(data=walks), models=["popular"], budget_s=1.0, seed=1, progress=Silent()
        )

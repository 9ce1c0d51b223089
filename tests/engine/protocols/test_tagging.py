"""The protocol ``tagging`` on files in the forms that people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.engine.benchmark import run
from storewise.engine.protocols.inputs import Inputs
from storewise.understand.tagging import encoders

pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
BRANDS, TYPES = ["Acme", "Zora", "Vent", "Nord"], ["shoe", "lamp", "rain coat", "usb hub"]


@pytest.fixture(autouse=True)
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The field alone, so that the tests are quick."""
    monkeypatch.setattr(encoders, "suitable", lambda texts: [])


def _file(path: Path, n: int, seed: int, *, end: str = "\n", begin: str = "B", single: bool = False) -> Path:
    """Titles with tags; ``begin`` "I" gives IOB1 with stray I, ``single`` tags without labels."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(n):
        lines = [f"w{rng.integers(9)} O"]
        for label, words in (("brand", BRANDS), ("type", TYPES)):
            tail = "" if single else f"-{label}"
            for i, word in enumerate(str(rng.choice(words)).split()):
                lines.append(f"{word} {'I' if i else begin}{tail}")
            lines.append(f"w{rng.integers(9)} O")
        sentences.append(end.join(lines))
    path.write_bytes((end + end).join(sentences).encode())
    return path


def _report(folder: Path, **forms: Any) -> dict[str, Any]:
    train, test = _file(folder / "train.txt", 80, 1, **forms), _file(folder / "test.txt", 30, 2, **forms)
    return run("tagging", Inputs(train=train, test=test), minutes=1, seed=3, command="the command")


@pytest.mark.parametrize("forms", [{}, {"end": "\r\n"}, {"begin": "I"}, {"single": True}])
def test_every_form_of_file_gives_a_full_report(tmp_path: Path, forms: dict[str, Any]) -> None:
    report = _report(tmp_path, **forms)
    rows = {row["model"]: row for row in report["rows"]}
    assert rows.keys() == {"tag.crf", "tag.dictionary"}
    assert [row["selected"] for row in report["rows"]] == [True, False]
    assert rows["tag.dictionary"]["simple"]
    assert not rows["tag.crf"]["simple"]
    for row in rows.values():
        assert row["metrics"].keys() == {"f1", "precision", "recall"}
        assert row["metrics"]["f1"]["low"] <= row["metrics"]["f1"]["value"] <= row["metrics"]["f1"]["high"]
    assert rows["tag.crf"]["metrics"]["f1"]["value"] > 0.9
    assert set(rows["tag.crf"]["labels"]) == ({""} if forms.get("single") else {"brand", "type"})
    assert "held-out" in report["reason"]
    assert "80 sentences" in report["data"]


def test_sentences_that_were_not_seen_are_reported_beside(tmp_path: Path) -> None:
    train = _file(tmp_path / "train.txt", 60, 1)
    test = tmp_path / "test.txt"
    extra = "brandnew O\nNord B-brand\n\n"
    test.write_text(extra + train.read_text())
    (section,) = run("tagging", Inputs(train=train, test=test), minutes=1, seed=3)["others"]
    assert section["question"].startswith("the 1 test sentences")
    assert all(row["metrics"]["recall"]["value"] in (0.0, 1.0) for row in section["rows"])
    assert sum(row["selected"] for row in section["rows"]) == 1


def test_labels_that_only_the_test_has_are_missed_and_not_an_error(tmp_path: Path) -> None:
    train = _file(tmp_path / "train.txt", 60, 1)
    test = tmp_path / "test.txt"
    test.write_text("Acme B-brand\nlamp B-other\n")
    report = run("tagging", Inputs(train=train, test=test), minutes=1, models=["tag.crf"], seed=3)
    rows = {row["model"]: row for row in report["rows"]}
    assert rows["tag.crf"]["labels"]["other"]["recall"]["value"] == 0.0
    assert "tag.dictionary" in rows


def test_what_is_missing_or_unknown_is_said(tmp_path: Path) -> None:
    train = _file(tmp_path / "train.txt", 20, 1)
    with pytest.raises(ConfigError, match="--test"):
        run("tagging", Inputs(train=train))
    with pytest.raises(ConfigError, match="does not read --catalogue"):
        run("tagging", Inputs(train=train, test=train, catalogue=train))
    (tmp_path / "bad.txt").write_text("a b c\n")
    with pytest.raises(DataError, match="line 1"):
        run("tagging", Inputs(train=train, test=tmp_path / "bad.txt"))
    pytest.importorskip("torch", reason="needs the extra finetune")
    with pytest.raises(UnknownName, match="bart"):
        run("tagging", Inputs(train=train, test=train), models=["bart"])

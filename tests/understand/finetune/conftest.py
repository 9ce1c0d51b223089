"""A tiny encoder for tests of fine-tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from storewise.testing import tiny_bert
from storewise.understand.finetune.tower import Tower


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for library in ("torch", "transformers", "peft", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra finetune")
    return tiny_bert.write(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture
def tower(bert_folder: Path) -> Tower:
    return Tower.load(bert_folder)

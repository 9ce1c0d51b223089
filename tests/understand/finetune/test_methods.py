"""Every method starts where the encoder stands, trains what it says, and merges without a change of vectors."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import ArtifactError, ConfigError
from storewise.understand.finetune.folder import is_plain, read_facts, tensors, write
from storewise.understand.finetune.methods import METHODS, Adapted, MethodConfig, adapt
from storewise.understand.finetune.tower import Tower, default_model
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

TEXTS = ["red cup", "blue lamp set of 6", "", "garden chair"]


def moved(tower: Tower, method: str) -> Adapted:
    """Some steps away from the start, on a loss that every method can lower."""
    import torch

    adapted = adapt(tower, MethodConfig(method=method, rank=2, bottleneck=4), steps=6, seed=3)
    optimiser = torch.optim.AdamW(list(adapted.trained().values()), lr=0.05)
    ids = adapted.tower.ids(["red cup", "garden chair"])
    for step in range(1, 7):
        a, b = adapted.tower.vectors(ids)
        (a @ b).backward()
        optimiser.step()
        adapted.after_step(step)
        optimiser.zero_grad()
    return adapted


@pytest.mark.parametrize("method", METHODS)
def test_starts_where_the_encoder_stands(tower: Tower, method: str) -> None:
    adapted = adapt(tower, MethodConfig(method=method, rank=2, bottleneck=4), steps=10, seed=0)
    np.testing.assert_allclose(adapted.tower.encode(TEXTS), tower.encode(TEXTS), atol=1e-5)
    assert not tower.encode(TEXTS)[2].any()


@pytest.mark.parametrize("method", METHODS)
def test_merging_changes_nothing_and_the_base_stays(tower: Tower, method: str) -> None:
    before = tower.encode(TEXTS)
    adapted = moved(tower, method)
    trained = adapted.tower.encode(TEXTS)
    assert np.abs(trained - before).max() > 1e-2
    np.testing.assert_allclose(adapted.merge().encode(TEXTS), trained, atol=1e-4)
    np.testing.assert_array_equal(tower.encode(TEXTS), before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("int8", "least"), [(False, 0.9999), (True, 0.97)])
def test_onnx_serves_the_vectors_of_torch(
    tower: Tower, method: str, int8: bool, least: float, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    merged = moved(tower, method).merge()
    write(tmp_path / "model", merged, {"method": method}, int8=int8)
    served = OnnxText(OnnxTextConfig(folder=tmp_path / "model" / "onnx"))(TEXTS)
    alike = (served * merged.encode(TEXTS)).sum(axis=1)
    assert alike[[0, 1, 3]].min() > least
    assert not served[2].any()


def test_plain_weights_load_as_an_encoder_again(tower: Tower, tmp_path) -> None:  # type: ignore[no-untyped-def]
    merged = moved(tower, "lora").merge()
    write(tmp_path / "model", merged, {"seed": 3})
    again = Tower.load(tmp_path / "model")
    np.testing.assert_allclose(again.encode(TEXTS), merged.encode(TEXTS), atol=1e-5)
    assert read_facts(tmp_path / "model") == {"seed": 3}


@pytest.mark.parametrize("method", ["adapter", "head"])
def test_what_is_no_plain_bert_is_not_offered_as_one(tower: Tower, method: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    merged = moved(tower, method).merge()
    assert not is_plain(merged)
    write(tmp_path / "model", merged, {})
    with pytest.raises(ArtifactError, match="lacks config.json"):
        Tower.load(tmp_path / "model")


def test_an_altered_file_is_refused(tower: Tower, tmp_path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "model", tower, {})
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is missing or has been altered"):
        read_facts(tmp_path / "model")


def test_the_head_is_a_matrix_behind_the_pooling(tower: Tower) -> None:
    import torch

    adapted = adapt(tower, MethodConfig(method="head"), steps=1, seed=0)
    matrix = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    with torch.no_grad():
        adapted.tower.head.weight.copy_(torch.from_numpy(matrix))
    expected = tower.encode(["red cup"]) @ matrix.T
    np.testing.assert_allclose(
        adapted.tower.encode(["red cup"]), expected / np.linalg.norm(expected), atol=1e-5
    )
    assert "projection.weight" in tensors(adapted.merge())


def test_an_adapter_is_the_formula(tower: Tower) -> None:
    """y + U gelu(D y + d) + u, two a layer."""
    import torch

    adapted = moved(tower, "adapter")
    places = [
        m for n, m in adapted.tower.model.named_modules() if n.endswith("dense") and hasattr(m, "adapter")
    ]
    assert len(places) == 2 * 2
    dense, x = places[0], torch.randn(3, places[0].in_features)
    y = x @ dense.weight.T + dense.bias
    down, up = dense.adapter["down"], dense.adapter["up"]
    inner = torch.nn.functional.gelu(y @ down.weight.T + down.bias)
    expected = y + inner @ up.weight.T + up.bias
    torch.testing.assert_close(dense(x), expected)


def test_adalora_moves_its_budget(tower: Tower) -> None:
    """It starts at rank 3 in 12 matrices and ends with an average of 2."""
    adapted = moved(tower, "adalora")
    pattern = adapted.state()[1]["rank_pattern"]
    assert sum(sum(kept) for kept in pattern.values()) == 2 * len(pattern)
    assert len(pattern) == 2 * 5


@pytest.mark.parametrize("method", ["lora", "adalora", "adapter"])
def test_at_most_3_percent_of_the_packaged_encoder(method: str, bert_folder) -> None:  # type: ignore[no-untyped-def]
    try:
        real = Tower.load(default_model())
    except ConfigError as error:
        pytest.skip(str(error))
    full = sum(value.numel() for value in real.model.parameters())
    assert adapt(real, MethodConfig(method=method), steps=10, seed=0).n_trained <= 0.03 * full


def test_a_folder_without_its_files_is_refused(tmp_path, bert_folder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArtifactError, match=r"lacks config\.json, tokenizer\.json"):
        Tower.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_refused(tmp_path, bert_folder, name: str) -> None:  # type: ignore[no-untyped-def]
    import shutil

    folder = shutil.copytree(bert_folder, tmp_path / "model")
    file = folder / name
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        Tower.load(folder)


def test_a_checkpoint_without_a_tensor_is_refused(tmp_path, bert_folder) -> None:  # type: ignore[no-untyped-def]
    """Weights that are not there must not be drawn at random."""
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(bert_folder, tmp_path / "model")
    found = load_file(folder / "model.safetensors")
    found.pop("encoder.layer.1.output.dense.weight")
    save_file(found, folder / "model.safetensors")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        Tower.load(folder)


def test_any_text_is_a_normal_input(tower: Tower) -> None:
    texts = ["", "   ", "🎁 red cup", "保温杯 red", "red cup " * 15_000, "\x00"]
    lengths = np.linalg.norm(tower.encode(texts), axis=1)
    assert lengths[:2].tolist() == [0.0, 0.0]
    assert lengths[2:] == pytest.approx(np.ones(4), abs=1e-5)

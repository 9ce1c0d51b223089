"""Every registered encoder keeps the encoder's contract; those whose weights are missing are skipped with a reason."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from storewise.core.config import Config
from storewise.core.errors import MissingExtra, UnknownName
from storewise.engine.registry import registry
from storewise.testing import encoder as suite
from storewise.understand.base import Encoder, unit

NAMES = registry().names("encode")
IMAGE = {
    "encode.colour_histogram.v1": ({}, {"hue_bins": 5}),
    "encode.efficientnet_lite0.v1": ({"input_size": 64, "threads": 1}, {"input_size": 96}),
    "encode.mobilenet.v1": ({"input_size": 64, "threads": 1}, {"input_size": 96}),
}
TEXT = {
    "encode.e5.v1": ({"threads": 1}, {}),  # opening it takes seconds: once less
    "encode.minilm.v1": ({"threads": 1}, {"max_length": 20}),
    "encode.tfidf_svd.v1": ({"size": 4, "min_products": 1}, {"size": 2}),
}
ELSEWHERE = {
    "encode.endpoint.v1": "needs a server; tests/understand/text/test_endpoint.py starts one",
    "encode.huggingface.v1": "needs a model by path; tests/understand/text make one",
    "encode.onnx_image.v1": "needs a model by path; tests/understand/image/test_networks.py gives it one",
    "encode.onnx_text.v1": "needs a model by path; tests/understand/text make one",
    "encode.static.v1": "needs a table by path; tests/understand/compress make one",
}


def made(name, config):
    """The encoder, trained where it learns, or a skip that says what is missing."""
    if name in IMAGE and importlib.util.find_spec("PIL") is None:
        pytest.skip("needs pillow (extra vision)")
    try:
        found = registry().create(name, config)
    except (UnknownName, MissingExtra) as error:
        pytest.skip(str(error))
    if hasattr(found, "train"):
        found.train(suite.TEXTS, rng=np.random.default_rng(0))
    return found


def test_how_many_there_are():
    assert sorted([*IMAGE, *TEXT, *ELSEWHERE]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_contract(name):
    if name in ELSEWHERE:
        pytest.skip(ELSEWHERE[name])
    config, change = (IMAGE | TEXT)[name]
    suite.check_encoder(
        lambda: made(name, config),
        suite.photos() if name in IMAGE else suite.TEXTS,
        suite.EMPTY_PHOTOS if name in IMAGE else suite.EMPTY_TEXTS,
        other=(lambda: made(name, {**config, **change})) if change else None,
    )


class Bytes(Encoder):
    """Byte counts of a text: an encoder whose faults are easy to make."""

    Config = Config
    dimensions, fingerprint = 256, "bytes"

    def __call__(self, batch):
        counts = [np.bincount(list(text.strip().encode()), minlength=256) for text in batch]
        return unit(np.reshape(counts, (len(batch), 256)))


def broken(change):
    class Broken(Bytes):
        def __call__(self, batch):
            return change(super().__call__(batch))

    return Broken


def test_the_suite_accepts_a_right_one():
    suite.check_encoder(Bytes, suite.TEXTS, suite.EMPTY_TEXTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.astype(np.float64), "float64"),
        (lambda v: v * 2, "not unit"),
        (lambda v: v[:, :-1], "shape"),
        (lambda v: v - v.mean(axis=0) if len(v) > 9 else v, "large batch"),
        (lambda v: unit(v + 1), "without content"),
    ],
)
def test_the_suite_notices(change, message):
    with pytest.raises(AssertionError, match=message):
        suite.check_encoder(broken(change), suite.TEXTS, suite.EMPTY_TEXTS)


def test_the_suite_notices_a_fingerprint_blind_to_the_config():
    with pytest.raises(AssertionError, match="same fingerprint"):
        suite.check_encoder(Bytes, suite.TEXTS, suite.EMPTY_TEXTS, other=Bytes)

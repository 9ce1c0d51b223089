"""Every registered encoder keeps the encoder's contract; those whose weights are missing are skipped with a reason."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from storewise.core.config import Config
from storewise.core.errors import InputError, MissingExtra
from storewise.engine.registry import registry
from storewise.testing import encoder as suite
from storewise.understand.base import Encoder, unit

NAMES = registry().names("encode")
IMAGE = (
    "encode.colour_histogram.v1",
    "encode.efficientnet_lite0.v1",
    "encode.mobilenet.v1",
    "encode.onnx_image.v1",
)
NEED_A_PATH = {"encode.onnx_image.v1"}  # tested beside its source, with a model made there
OTHER = {"encode.colour_histogram.v1": {"hue_bins": 5}}  # the rest: another input size
SMALL = {
    "encode.colour_histogram.v1": {},
    "encode.efficientnet_lite0.v1": {"input_size": 64, "threads": 1},
    "encode.mobilenet.v1": {"input_size": 64, "threads": 1},
}


def make_or_skip(name, config):
    if name in NEED_A_PATH:
        pytest.skip("needs a model by path; tests/understand/image/test_onnx_image.py gives it one")
    if name in IMAGE and importlib.util.find_spec("PIL") is None:
        pytest.skip("needs pillow")
    try:
        return registry().create(name, config)
    except (InputError, MissingExtra) as error:
        pytest.skip(str(error))


def test_how_many_image_encoders_there_are():
    assert [name for name in NAMES if name in IMAGE] == list(IMAGE)


@pytest.mark.parametrize("name", [name for name in NAMES if name in IMAGE])
def test_contract(name):
    config = SMALL.get(name, {})
    make_or_skip(name, config)
    suite.check_encoder(
        lambda: registry().create(name, config),
        suite.photos(),
        suite.EMPTY_PHOTOS,
        other=lambda: registry().create(name, {**config, **OTHER.get(name, {"input_size": 96})}),
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

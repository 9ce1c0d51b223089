"""A BERT folder (config.json, model.safetensors) as an ONNX graph: token ids in, unit sentence vectors out.

The graph is written from the weights directly, so that neither torch nor transformers is needed to serve a
model, one that was fine-tuned here or one from a package. Attention, mean pooling and normalisation are inside.
Architecture: Devlin et al. 2019; mean pooling over tokens: Reimers & Gurevych 2019.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError, MissingExtra

OPSET = 17  # LayerNormalization is an operator from here on
MICROSOFT = "com.microsoft"  # operators of onnxruntime itself
MIDDLE = 128  # the byte that stands for 0
BYTE, SAFE = 127, 64
"""Largest whole numbers of a table's values and of a matrix's: processors without VNNI add two products in 16 bits,
and 2 · 255 · 64 is the most that fits. With 127 the same model would give other vectors on other machines."""
MASKED = -1e4  # added to the scores of padding: far below any score, and safe in every float type
Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class BertShape:
    """The numbers of a config.json that the graph needs."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    positions: int

    @classmethod
    def read(cls, folder: Path) -> BertShape:
        """From a folder's config.json.

        Raises:
            ArtifactError: when it is missing, broken, or not of a BERT encoder.
        """
        try:
            values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            kind, act = values.get("model_type", "bert"), values.get("hidden_act", "gelu")
            shape = cls(
                int(values["num_hidden_layers"]), int(values["num_attention_heads"]),
                int(values["hidden_size"]), float(values["layer_norm_eps"]),
                int(values["max_position_embeddings"]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{folder} has no readable config.json of a BERT model ({error}).",
                next_step="Name a folder with config.json, tokenizer.json and model.safetensors.",
            ) from error
        if kind != "bert" or act != "gelu":
            raise ArtifactError(
                f"{folder} holds a {kind} model with activation {act}; this export knows bert with gelu.",
                next_step="Serve it with encode.huggingface.v1, or export it to ONNX with its own tools.",
            )
        return shape


def read_weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of model.safetensors as float32, names without the prefix ``bert.``.

    Raises:
        ArtifactError: when the file is missing or damaged.
        MissingExtra: without safetensors.
    """
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtra("safetensors", "language") from error
    file = folder / "model.safetensors"
    try:
        found = load_file(file)
    except Exception as error:  # the library raises its own kinds
        raise ArtifactError(
            f"{file} is missing or damaged ({error}).", next_step="Copy or install the model again."
        ) from error
    return {name.removeprefix("bert."): np.asarray(value, np.float32) for name, value in found.items()
            if value.dtype.kind == "f"}  # fmt: skip


@dataclass
class _Graph:
    """Nodes and weights while the graph is written."""

    weights: Weights
    int8: bool
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    as_bytes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def weight(self, name: str, *, transpose: bool = False) -> str:
        """The name of a checkpoint tensor inside the graph.

        Raises:
            ArtifactError: when the checkpoint lacks it.
        """
        if name not in self.weights:
            raise ArtifactError(
                f"The checkpoint has no tensor {name!r}.", next_step="Use a complete BERT encoder checkpoint."
            )
        value = self.weights[name]
        self.constants[name] = np.ascontiguousarray(value.T if transpose else value)
        return name

    def constant(self, name: str, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        self.constants[name] = np.asarray(value, dtype)
        return name

    def dense(self, x: str, name: str) -> str:
        """The linear map of a name, and behind it a fine-tuned bottleneck, y + U gelu(D y), where there is one."""
        y = self.linear(x, name)
        if f"{name}.adapter.down.weight" not in self.weights:
            return y
        inner = _gelu(self, self.linear(y, f"{name}.adapter.down"))
        return self.op("Add", y, self.linear(inner, f"{name}.adapter.up"))

    def linear(self, x: str, name: str) -> str:
        """x Wᵀ + b; in int8 between a scale for each token and one for each output."""
        if self.int8:
            numbers, scale = self.token_int8(x)
            one, middle = self.constant("unit", 1.0), self.constant("middle", MIDDLE, np.uint8)
            weight = self.quantised(f"{name}.weight", SAFE, transpose=True)
            product = self.op(
                "MatMulIntegerToFloat", numbers, weight[0], one, weight[1], middle, domain=MICROSOFT
            )
            return self.op("Add", self.op("Mul", product, scale), self.weight(f"{name}.bias"))
        product = self.op("MatMul", x, self.weight(f"{name}.weight", transpose=True))
        return self.op("Add", product, self.weight(f"{name}.bias"))

    def token_int8(self, x: str) -> tuple[str, str]:
        """(n, length, d) as a byte each around MIDDLE, with a scale for each token: (n, length, 1).

        A scale of the whole batch would be one operator less, but then a text's vector would depend on the
        texts beside it.
        """
        if x not in self.as_bytes:
            largest = self.op("ReduceMax", self.op("Abs", x), axes=[-1], keepdims=1)
            safe = self.op("Max", largest, self.constant("tiny", 1e-12))
            scale = self.op("Mul", safe, self.constant("step127", 1 / 127))
            one, middle = self.constant("unit", 1.0), self.constant("middle", MIDDLE, np.uint8)
            self.as_bytes[x] = (self.op("QuantizeLinear", self.op("Div", x, scale), one, middle), scale)
        return self.as_bytes[x]

    def quantised(self, name: str, most: int, *, transpose: bool = False) -> tuple[str, str]:
        """Names of a matrix's int8 values, at most ``most``, and its scales, one for each row of the checkpoint's
        matrix."""
        value = self.weights[self.weight(name)]
        scale = np.maximum(np.abs(value).max(axis=1), 1e-12) / most
        rounded = np.rint(value / scale[:, None]).astype(np.int8)
        self.constants[name] = np.ascontiguousarray(rounded.T if transpose else rounded)
        return name, self.constant(f"{name}.scale", scale)

    def table(self, name: str, rows: str) -> str:
        """Rows of an embedding table."""
        if not self.int8:
            return self.op("Gather", self.weight(name), rows)
        values, scales = self.quantised(name, BYTE)
        found = self.op("Cast", self.op("Gather", values, rows), to=1)
        scale = self.op("Unsqueeze", self.op("Gather", scales, rows), self.constant("last", [-1], np.int64))
        return self.op("Mul", found, scale)

    def norm(self, x: str, name: str, epsilon: float) -> str:
        return self.op(
            "LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
            axis=-1, epsilon=epsilon,
        )  # fmt: skip


def build(shape: BertShape, weights: Weights, *, pooling: str = "mean", int8: bool = False) -> Any:
    """The ONNX model (``onnx.ModelProto``) of a BERT encoder.

    Inputs ``input_ids`` and ``attention_mask``, both (n, length) int64; output ``vectors`` (n, hidden) float32
    of length 1. ``pooling``: ``mean`` over tokens, or ``cls`` for the first token. ``int8``: weights in a byte
    each, activations quantised token by token as they come: a quarter of the size and over twice the speed.

    Raises:
        ArtifactError: when a tensor is missing.
        MissingExtra: without onnx.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("onnx", "language") from error
    graph = _Graph(weights, int8)
    hidden = _embeddings(graph, shape)
    bias = _mask_bias(graph)
    for layer in range(shape.layers):
        hidden = _layer(graph, hidden, bias, shape, f"encoder.layer.{layer}")
    _pool(graph, hidden, pooling)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    out = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", shape.hidden])
    tensors = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    made = helper.make_graph(graph.nodes, "bert", ids, [out], tensors)
    opset = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opset, ir_version=8)


def _embeddings(graph: _Graph, shape: BertShape) -> str:
    """Word + position + type embeddings, normalised: (n, length, hidden)."""
    words = graph.table("embeddings.word_embeddings.weight", "input_ids")
    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.constant("one", 1, np.int64))
    zero, step = graph.constant("zero", 0, np.int64), graph.constant("step", 1, np.int64)
    places = graph.op("Range", zero, length, step)
    position = graph.op("Gather", graph.weight("embeddings.position_embeddings.weight"), places)
    # All tokens are of the first segment: its vector joins the position's.
    first = graph.constant("type", graph.weights["embeddings.token_type_embeddings.weight"][0])
    summed = graph.op("Add", graph.op("Add", words, position), first)
    return graph.norm(summed, "embeddings.LayerNorm", shape.epsilon)


def _mask_bias(graph: _Graph) -> str:
    """(n, 1, 1, length): 0 for tokens, MASKED for padding."""
    mask = graph.op("Cast", "attention_mask", to=1)
    hole = graph.op("Sub", graph.constant("ones", 1.0), mask)
    bias = graph.op("Mul", hole, graph.constant("masked", MASKED))
    return graph.op("Unsqueeze", bias, graph.constant("axes", [1, 2], np.int64))


def _layer(graph: _Graph, x: str, bias: str, shape: BertShape, name: str) -> str:
    attended = graph.dense(_attention(graph, x, bias, shape, f"{name}.attention.self"),
                           f"{name}.attention.output.dense")  # fmt: skip
    x = graph.norm(graph.op("Add", attended, x), f"{name}.attention.output.LayerNorm", shape.epsilon)
    inner = _gelu(graph, graph.dense(x, f"{name}.intermediate.dense"))
    out = graph.dense(inner, f"{name}.output.dense")
    return graph.norm(graph.op("Add", out, x), f"{name}.output.LayerNorm", shape.epsilon)


def _attention(graph: _Graph, x: str, bias: str, shape: BertShape, name: str) -> str:
    """Scaled dot-product attention of all heads: (n, length, hidden)."""
    size = shape.hidden // shape.heads
    split = graph.constant("split", [0, 0, shape.heads, size], np.int64)
    query, key, value = (
        graph.op("Transpose", graph.op("Reshape", graph.dense(x, f"{name}.{part}"), split), perm=order)
        for part, order in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3)))
    )
    scores = graph.op("Mul", graph.op("MatMul", query, key), graph.constant("scale", size**-0.5))
    weights = graph.op("Softmax", graph.op("Add", scores, bias), axis=-1)
    heads = graph.op("Transpose", graph.op("MatMul", weights, value), perm=(0, 2, 1, 3))
    return graph.op("Reshape", heads, graph.constant("join", [0, 0, shape.hidden], np.int64))


def _gelu(graph: _Graph, x: str) -> str:
    """x Φ(x), as onnxruntime's own operator."""
    return graph.op("Gelu", x, domain=MICROSOFT)


def _pool(graph: _Graph, hidden: str, pooling: str) -> None:
    """Mean over the tokens (or the first token), scaled to length 1, into the output ``vectors``."""
    from onnx import helper

    if pooling == "cls":
        pooled = graph.op("Gather", hidden, graph.constant("zero", 0, np.int64), axis=1)
    else:
        last = graph.constant("last", [-1], np.int64)
        mask = graph.op("Unsqueeze", graph.op("Cast", "attention_mask", to=1), last)
        # The mean's divisor cancels in the normalisation.
        tokens = graph.constant("tokens", [1], np.int64)
        pooled = graph.op("ReduceSum", graph.op("Mul", hidden, mask), tokens, keepdims=0)
    if "projection.weight" in graph.weights:  # a fine-tuned head behind the pooling, without a bias
        pooled = graph.op("MatMul", pooled, graph.weight("projection.weight", transpose=True))
    length = graph.op("ReduceL2", pooled, axes=[1], keepdims=1)
    safe = graph.op("Max", length, graph.constant("tiny", 1e-12))
    graph.nodes.append(helper.make_node("Div", [pooled, safe], ["vectors"]))

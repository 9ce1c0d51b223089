"""The last hidden states of a BERT encoder in NumPy, so that a trained tagger needs no torch to tag.

Architecture: Devlin et al. 2019 (post-normalisation, exact gelu). Names of the weights are those of BERT
checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from storewise.understand.text.bert_graph import BertShape

States = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]
_SQRT_HALF = np.float32(np.sqrt(0.5))


def hidden_states(
    ids: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_], weights: Weights, shape: BertShape
) -> States:
    """(batch, length, hidden) float32 of token ids (batch, length); padding is False in ``mask``."""
    batch, length = ids.shape
    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][None, :length]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = _norm(x, weights, "embeddings.LayerNorm", shape.epsilon)
    bias = np.where(mask, 0.0, -1e9).astype(np.float32)[:, None, None, :]
    width = shape.hidden // shape.heads
    for layer in range(shape.layers):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            _linear(x, weights, f"{at}attention.self.{name}")
            .reshape(batch, length, shape.heads, width)
            .transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width)) + bias
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        mixed = mixed.transpose(0, 2, 1, 3).reshape(batch, length, shape.hidden)
        x = _norm(
            x + _linear(mixed, weights, f"{at}attention.output.dense"),
            weights,
            f"{at}attention.output.LayerNorm",
            shape.epsilon,
        )
        inner = _linear(x, weights, f"{at}intermediate.dense")
        inner = inner * np.float32(0.5) * (1 + erf(inner * _SQRT_HALF))
        x = _norm(
            x + _linear(inner, weights, f"{at}output.dense"), weights, f"{at}output.LayerNorm", shape.epsilon
        )
    return x


def _linear(x: States, weights: Weights, name: str) -> States:
    found: States = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return found


def _norm(x: States, weights: Weights, name: str, epsilon: float) -> States:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(epsilon))
    found: States = centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return found

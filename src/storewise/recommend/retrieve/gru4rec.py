"""A recurrent network over the order of a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.deep.layers import layer_norm, noise, norm_weights, sigmoid
from storewise.recommend.retrieve.deep.neural import Step, Weights
from storewise.recommend.retrieve.deep.next_product import NextProduct, NextProductConfig

Floats = npt.NDArray[np.float32]
GRU = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class Gru4RecConfig(NextProductConfig):
    """``hidden_size``: of the recurrent state."""

    hidden_size: int = Field(default=128, ge=1, le=4_096)


class Gru4Rec(NextProduct[Gru4RecConfig]):
    """GRU4Rec (Hidasi et al. 2016) with softmax cross-entropy (Hidasi & Karatzoglou 2018; Hidasi & Czapp 2023) and
    product vectors tied between input and output.

    r = σ(W_r x + U_r h + b), z alike, n = tanh(W_n x + b_n + r (U_n h + c_n)), h' = (1 - z) n + z h.

    >>> Gru4Rec(Gru4RecConfig(embedding_size=32)).config.hidden_size
    128
    """

    Config = Gru4RecConfig
    label = "GRU4Rec"

    def body(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        d, h = self.config.embedding_size, self.config.hidden_size
        scale = 1.0 / np.sqrt(h)
        shapes = ((3 * h, d), (3 * h, h), (3 * h,), (3 * h,))
        gru = {
            name: rng.uniform(-scale, scale, shape).astype(np.float32)
            for name, shape in zip(GRU, shapes, strict=True)
        }
        out = {"out": noise(rng, h, d, 1.0 / np.sqrt(h)), "out_bias": np.zeros(d, np.float32)}
        return gru | out | norm_weights("start", d) | norm_weights("end", d)

    def hidden(self, weights: Mapping[str, Any], vectors: Any, step: Step) -> Any:
        c, torch = self.config, step.torch
        d, h = c.embedding_size, c.hidden_size

        def norm(x: Any, name: str) -> Any:
            scale, shift = weights[f"{name}_scale"], weights[f"{name}_shift"]
            return torch.nn.functional.layer_norm(x, (d,), scale, shift, 1e-8)

        x = step.dropout(norm(vectors, "start"), c.dropout)
        first = x.new_zeros((1, len(x), h))
        flat = [weights[name] for name in GRU]
        told, _ = torch._VF.gru(x, first, flat, True, 1, 0.0, step.training, False, True)
        return norm(step.dropout(told, c.dropout) @ weights["out"] + weights["out_bias"], "end")

    def answer(self, weights: Weights, vectors: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        h = self.config.hidden_size
        w_x, w_h, b_x, b_h = (weights[name] for name in GRU)
        x = layer_norm(vectors, weights["start_scale"], weights["start_shift"]) @ w_x.T + b_x
        state = np.zeros((len(vectors), h), np.float32)
        for place in range(vectors.shape[1]):
            old = state @ w_h.T + b_h
            gates = sigmoid(x[:, place, : 2 * h] + old[:, : 2 * h])
            new = np.tanh(x[:, place, 2 * h :] + gates[:, :h] * old[:, 2 * h :])
            moved = (1 - gates[:, h:]) * new + gates[:, h:] * state
            state = np.where((place < lengths)[:, None], moved, state)
        told = state @ weights["out"] + weights["out_bias"]
        return layer_norm(told, weights["end_scale"], weights["end_shift"])

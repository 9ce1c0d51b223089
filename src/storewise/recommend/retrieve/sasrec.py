"""Self-attention over the order of a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.deep.layers import attend, gelu, layer_norm, noise, norm_weights
from storewise.recommend.retrieve.deep.neural import Step, Weights
from storewise.recommend.retrieve.deep.next_product import NextProduct, NextProductConfig

Floats = npt.NDArray[np.float32]


class SasRecConfig(NextProductConfig):
    """``blocks`` of attention with ``heads`` and a feed-forward layer of ``feed_forward`` × embedding_size."""

    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    blocks: int = Field(default=2, ge=1, le=32)
    heads: int = Field(default=1, ge=1)
    feed_forward: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _divides(self) -> SasRecConfig:
        if self.embedding_size % self.heads:
            raise ValueError(f"embedding_size {self.embedding_size} is no multiple of heads {self.heads}")
        return self


class SasRec(NextProduct[SasRecConfig]):
    """SASRec (Kang & McAuley 2018) with softmax over the catalogue instead of one negative.

    Product and position vectors are added and normalised; each block adds attention and then a feed-forward
    layer, both of normalised inputs (pre-norm); the normalised state at the last event is multiplied with the
    same product vectors (tied). Positions count from the first event that is read. Cross-entropy over all
    products, or a sample with log-Q correction, removes the overconfidence of one negative (Petrov & Macdonald
    2023; Klenitskiy & Vasilev 2023).

    >>> SasRec(SasRecConfig(embedding_size=32, heads=2)).config.length
    50
    """

    Config = SasRecConfig
    label = "SASRec"

    def body(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        c, d = self.config, self.config.embedding_size
        made: Weights = (
            {"position": noise(rng, c.length, d)} | norm_weights("start", d) | norm_weights("end", d)
        )
        for block in range(c.blocks):
            made |= norm_weights(f"{block}.attend", d) | norm_weights(f"{block}.feed", d)
            wide = c.feed_forward * d
            for name, rows, columns in (
                ("query", d, d), ("key", d, d), ("value", d, d), ("out", d, d), ("up", d, wide), ("down", wide, d),
            ):  # fmt: skip
                made[f"{block}.{name}"] = noise(rng, rows, columns)
                made[f"{block}.{name}_bias"] = np.zeros(columns, np.float32)
        return made

    def hidden(self, weights: Mapping[str, Any], vectors: Any, step: Step) -> Any:
        c, f = self.config, step.torch.nn.functional
        b, length, d = vectors.shape

        def norm(x: Any, name: str) -> Any:
            return f.layer_norm(x, (d,), weights[f"{name}_scale"], weights[f"{name}_shift"], 1e-8)

        def linear(x: Any, name: str) -> Any:
            return x @ weights[name] + weights[f"{name}_bias"]

        def heads(x: Any) -> Any:
            return x.reshape(b, length, c.heads, d // c.heads).transpose(1, 2)

        x = step.dropout(norm(vectors + weights["position"][:length], "start"), c.dropout)
        for block in range(c.blocks):
            y = norm(x, f"{block}.attend")
            q, k, v = (heads(linear(y, f"{block}.{name}")) for name in ("query", "key", "value"))
            dropout = c.dropout if step.training else 0.0
            mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
            mixed = linear(mixed.transpose(1, 2).reshape(b, length, d), f"{block}.out")
            x = x + step.dropout(mixed, c.dropout)
            y = f.gelu(linear(norm(x, f"{block}.feed"), f"{block}.up"), approximate="tanh")
            x = x + step.dropout(linear(y, f"{block}.down"), c.dropout)
        return norm(x, "end")

    def answer(self, weights: Weights, vectors: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        c, (b, length, _) = self.config, vectors.shape
        last = np.arange(b), lengths - 1
        padding = np.where(np.arange(length) < lengths[:, None], 0.0, -np.inf).astype(np.float32)
        causal = np.triu(np.full((length, length), -np.inf, np.float32), 1)

        def norm(x: Floats, name: str) -> Floats:
            return layer_norm(x, weights[f"{name}_scale"], weights[f"{name}_shift"])

        def linear(x: Floats, name: str) -> Floats:
            return x @ weights[name] + weights[f"{name}_bias"]

        x = norm(vectors + weights["position"][:length], "start")
        for block in range(c.blocks):
            y = norm(x, f"{block}.attend")
            final = block == c.blocks - 1  # only the last event's state is wanted of the last block
            asked = y[last][:, None] if final else y
            q, k, v = linear(asked, f"{block}.query"), linear(y, f"{block}.key"), linear(y, f"{block}.value")
            mask = padding[:, None, None] if final else causal
            mixed = linear(attend(q, k, v, mask, c.heads), f"{block}.out")
            x = (x[last][:, None] if final else x) + mixed
            x = x + linear(gelu(linear(norm(x, f"{block}.feed"), f"{block}.up")), f"{block}.down")
        return norm(x[:, 0], "end")

"""Layers of networks in numpy, for answering without torch, and their first weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.recommend.retrieve.deep.neural import Weights

Floats = npt.NDArray[np.float32]


def attend(q: Floats, k: Floats, v: Floats, mask: Floats, heads: int) -> Floats:
    """(b, q, d) of queries (b, q, d), keys and values (b, l, d); ``mask`` is added to the logits (b, h, q, l)."""
    b, _, d = q.shape
    split = [x.reshape(b, -1, heads, d // heads).transpose(0, 2, 1, 3) for x in (q, k, v)]
    logits = split[0] @ split[1].transpose(0, 1, 3, 2) / np.float32(np.sqrt(d // heads)) + mask
    share = np.exp(logits - logits.max(axis=-1, keepdims=True))
    share /= share.sum(axis=-1, keepdims=True)
    mixed: Floats = (share @ split[2]).transpose(0, 2, 1, 3).reshape(b, -1, d)
    return mixed


def layer_norm(x: Floats, scale: Floats, shift: Floats) -> Floats:
    """Of the last axis; epsilon 1e-8."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    found: Floats = (x - mean) / np.sqrt(variance + np.float32(1e-8)) * scale + shift
    return found


def gelu(x: Floats) -> Floats:
    """The tanh form (Hendrycks & Gimpel 2016).

    >>> gelu(np.array([-1.0, 0.0, 1.0], np.float32)).round(3).tolist()
    [-0.1589999943971634, 0.0, 0.8410000205039978]
    """
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    found: Floats = np.float32(0.5) * x * (1 + np.tanh(inner))
    return found


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    found: Floats = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * x))
    return found


def unit_rows(x: Floats) -> Floats:
    """Rows of length 1; a row that is (nearly) zero stays so."""
    found: Floats = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-6))
    return found


def noise(rng: np.random.Generator, rows: int, columns: int, scale: float = 0.02) -> Floats:
    """(rows, columns) normal of that standard deviation."""
    return rng.normal(0, scale, (rows, columns)).astype(np.float32)


def norm_weights(name: str, d: int) -> Weights:
    """Scale and shift of a layer norm."""
    return {f"{name}_scale": np.ones(d, np.float32), f"{name}_shift": np.zeros(d, np.float32)}

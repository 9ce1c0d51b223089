"""A smaller BERT: without the words a shop never uses, and with fewer layers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from storewise.core.errors import ConfigError, MissingExtra
from storewise.understand.text.bert_graph import BertShape

WORDS = "embeddings.word_embeddings.weight"
Weights = dict[str, npt.NDArray[Any]]


def keep_words(
    weights: Mapping[str, npt.NDArray[Any]], tokenizer: bytes, texts: Sequence[str], *, commonest: int = 2_000
) -> tuple[Weights, bytes]:
    """Weights and tokenizer with only the tokens that the texts use, single characters, special tokens and the
    first ``commonest``; a text of those tokens keeps its vector exactly, other words fall into pieces.

    Raises:
        ConfigError: for a tokenizer that is not of word pieces.
        MissingExtra: without tokenizers.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("tokenizers", "language") from error
    told = json.loads(tokenizer)
    if told["model"]["type"] != "WordPiece":
        raise ConfigError(
            f"The tokenizer is of type {told['model']['type']}; words are pruned from WordPiece alone.",
            next_step="Leave the vocabulary as it is for this model.",
        )
    reader: Any = Tokenizer.from_buffer(tokenizer)
    reader.no_truncation()
    used = {i for one in reader.encode_batch(list(texts)) for i in one.ids}
    vocabulary: dict[str, int] = told["model"]["vocab"]
    special = {entry["id"] for entry in told.get("added_tokens", [])}
    kept = sorted(
        i for token, i in vocabulary.items()
        if i in used or i in special or i < commonest or len(token.removeprefix("##")) == 1
    )  # fmt: skip
    new = {old: place for place, old in enumerate(kept)}
    told["model"]["vocab"] = {token: new[i] for token, i in vocabulary.items() if i in new}
    for entry in told.get("added_tokens", []):
        entry["id"] = new[entry["id"]]
    _renumber(told.get("post_processor"), new)
    smaller = dict(weights) | {WORDS: weights[WORDS][kept]}
    return smaller, json.dumps(told).encode()


def keep_layers(
    shape: BertShape, weights: Mapping[str, npt.NDArray[Any]], layers: Sequence[int]
) -> tuple[BertShape, Weights]:
    """The same model with only these layers, in order.

    Raises:
        ConfigError: for a layer that is not there.

    >>> import numpy as np
    >>> weights = {"encoder.layer.1.x": np.ones(1)}
    >>> keep_layers(BertShape(2, 1, 4, 1e-12, 8), weights, [1])[1]
    {'encoder.layer.0.x': array([1.])}
    """
    if not layers or any(not 0 <= layer < shape.layers for layer in layers):
        raise ConfigError(
            f"Layers {list(layers)} of {shape.layers}.", next_step=f"Name some of 0 to {shape.layers - 1}."
        )
    found: Weights = {name: value for name, value in weights.items() if not name.startswith("encoder.layer.")}
    for place, layer in enumerate(layers):
        prefix = f"encoder.layer.{layer}."
        for name, value in weights.items():
            if name.startswith(prefix):
                found[f"encoder.layer.{place}.{name.removeprefix(prefix)}"] = value
    return replace(shape, layers=len(layers)), found


def _renumber(part: Any, new: Mapping[int, int]) -> None:
    """Ids of special tokens inside a tokenizer's post-processor, wherever they stand."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("sep", "cls") and isinstance(value, list) and len(value) == 2:
                value[1] = new[value[1]]
            elif key == "ids" and isinstance(value, list):
                part[key] = [new[i] for i in value]
            else:
                _renumber(value, new)
    elif isinstance(part, list):
        for value in part:
            _renumber(value, new)

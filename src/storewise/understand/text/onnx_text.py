"""Sentence vectors from any transformer in ONNX, through onnxruntime: no torch at serving time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config, config_hash
from storewise.core.errors import ArtifactError, ConfigError, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import TextEncoder, Vectors, unit
from storewise.understand.text import onnx_folder
from storewise.understand.text.onnx_folder import OnnxFolder

Ids = npt.NDArray[np.int64]
CHARACTERS_A_TOKEN = (
    16  # a longer text is cut before it is tokenised, so that 100,000 characters cost nothing
)


class OnnxTextConfig(Config):
    """``folder``: with model.onnx and tokenizer.json. ``max_length``: tokens read of a text, the rest is cut.
    ``pooling``: for a model that gives one vector a token (else what the model gives is taken).
    ``threads``: 0 leaves the choice to onnxruntime. Prefixes: None takes what the folder's encoder.json says."""

    folder: Path | None = None
    max_length: int = Field(default=96, ge=4, le=8192)
    batch_size: int = Field(default=64, ge=1)
    pooling: Literal["mean", "cls"] = "mean"
    passage_prefix: str | None = None
    query_prefix: str | None = None
    threads: int = Field(default=0, ge=0)


ConfigT = TypeVar("ConfigT", bound=OnnxTextConfig)


class OnnxTextBase(TextEncoder[ConfigT]):
    """What all encoders served from an ONNX folder share; a subclass says where the folder is."""

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        found = self.source()
        self._facts = found.facts
        self.tokenizer_json = found.tokenizer
        self._session, self._tokenizer = _open(found, self.config)
        self._inputs = [node.name for node in self._session.get_inputs()]
        _check_inputs(self._inputs)
        self._sha256 = found.sha256
        self._dimensions = self._measure()

    def source(self) -> OnnxFolder:
        """The model's files.

        Raises:
            ConfigError: when the config names no folder.
            ArtifactError: when a file is missing or altered.
        """
        if self.config.folder is None:
            raise ConfigError(
                "encode.onnx_text.v1 has no folder.",
                next_step="Set folder to one with model.onnx and tokenizer.json.",
            )
        return onnx_folder.read(self.config.folder)

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def fingerprint(self) -> str:
        config = self.config
        shaping = [config.max_length, config.pooling, self._prefix("passage"), self._prefix("query")]
        return f"{self._sha256[:16]}-{config_hash(shaping)}"

    def __call__(self, batch: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """(len(batch), dimensions) float32. Empty text gives a zero row."""
        return self._encode(batch, self._prefix("passage"), progress or Silent())

    def queries(self, batch: Sequence[str]) -> Vectors:
        return self._encode(batch, self._prefix("query"), Silent())

    def _prefix(self, side: Literal["passage", "query"]) -> str:
        own: str | None = getattr(self.config, f"{side}_prefix")
        return own if own is not None else str(self._facts.get(f"{side}_prefix", ""))

    def _measure(self) -> int:
        return int(self._run([self._tokenizer.encode("a").ids]).shape[1])

    def _encode(self, batch: Sequence[str], prefix: str, progress: Progress) -> Vectors:
        out = np.zeros((len(batch), self._dimensions), np.float32)
        limit = self.config.max_length * CHARACTERS_A_TOKEN
        rows = [i for i, text in enumerate(batch) if text.strip()]
        told = self._tokenizer.encode_batch([prefix + batch[i][:limit] for i in rows])
        ids = [one.ids for one in told]
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(rows)), key=lambda i: len(ids[i]))
        size = self.config.batch_size
        starts = range(0, len(order), size)
        for start in progress.track(starts, label="encoding text", total=len(starts)):
            part = order[start : start + size]
            out[[rows[i] for i in part]] = self._run([ids[i] for i in part])
        return out

    def _run(self, ids: Sequence[Sequence[int]]) -> Vectors:
        length = max(len(one) for one in ids)
        tokens: Ids = np.zeros((len(ids), length), np.int64)
        mask: Ids = np.zeros_like(tokens)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = one
            mask[row, : len(one)] = 1
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        found = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        if found.ndim == 3:
            found = found[:, 0] if self.config.pooling == "cls" else _mean(found, mask)
        return unit(found)


class OnnxText(OnnxTextBase[OnnxTextConfig]):
    """Any ONNX transformer by folder: one exported by ``storewise finetune``, or by other tools.

    The model takes ``input_ids`` (and ``attention_mask``, ``token_type_ids``) and gives one vector a text, or
    one a token, which are pooled.
    """

    Config = OnnxTextConfig


def _open(found: OnnxFolder, config: OnnxTextConfig) -> tuple[Any, Any]:
    """The session and the tokenizer."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", "language") from error
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("tokenizers", "language") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(found.model, options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_buffer(found.tokenizer)
    except Exception as error:  # both libraries raise kinds of their own
        raise ArtifactError(
            f"The model {config.folder or ''} cannot be opened: {error}.",
            next_step="Export it again, with a tokenizer.json of the tokenizers library.",
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(config.max_length)
    return session, tokenizer


def _check_inputs(names: Sequence[str]) -> None:
    known = {"input_ids", "attention_mask", "token_type_ids"}
    if "input_ids" not in names or not set(names) <= known:
        raise ArtifactError(
            f"The model wants {', '.join(names)}.",
            next_step=f"Give one that wants some of {', '.join(sorted(known))}.",
        )


def _mean(tokens: npt.NDArray[np.float32], mask: Ids) -> npt.NDArray[np.float32]:
    """(n, length, d) → (n, d): the mean over tokens that are not padding."""
    weight = mask[:, :, None].astype(np.float32)
    mean: Vectors = (tokens * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
    return mean

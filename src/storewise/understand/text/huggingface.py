"""Sentence vectors from any Hugging Face encoder, by local folder or by hub name where there is a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from storewise.core.config import Config, config_hash
from storewise.core.errors import ArtifactError, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import TextEncoder, Vectors, unit


class HuggingFaceConfig(Config):
    """``model``: a folder, or a name on the hub. ``revision``: pins a hub model. ``device``: cpu, cuda …
    ``allow_download``: without it nothing is ever fetched, and a hub name has to be in the local cache."""

    model: str
    revision: str | None = None
    max_length: int = Field(default=128, ge=4, le=8192)
    batch_size: int = Field(default=32, ge=1)
    pooling: Literal["mean", "cls"] = "mean"
    passage_prefix: str = ""
    query_prefix: str = ""
    device: str = "cpu"
    allow_download: bool = False


class HuggingFace(TextEncoder[HuggingFaceConfig]):
    """Needs the extra ``finetune`` (torch, transformers). For serving, an ONNX folder is lighter and faster."""

    Config = HuggingFaceConfig

    def __init__(self, config: HuggingFaceConfig | None = None) -> None:
        super().__init__(config)
        self._tokenizer, self._model = _load(self.config)
        self._fingerprint = _hash(self._model, self.config)

    @property
    def dimensions(self) -> int:
        return int(self._model.config.hidden_size)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def __call__(self, batch: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        return self._encode(batch, self.config.passage_prefix, progress or Silent())

    def queries(self, batch: Sequence[str]) -> Vectors:
        return self._encode(batch, self.config.query_prefix, Silent())

    def _encode(self, batch: Sequence[str], prefix: str, progress: Progress) -> Vectors:
        import torch

        out = np.zeros((len(batch), self.dimensions), np.float32)
        rows = sorted((i for i, text in enumerate(batch) if text.strip()), key=lambda i: len(batch[i]))
        size, limit = self.config.batch_size, self.config.max_length * 16
        for start in progress.track(range(0, len(rows), size), label="encoding text"):
            part = rows[start : start + size]
            with torch.inference_mode():
                told = self._tokenizer(
                    [prefix + batch[i][:limit] for i in part], padding=True, truncation=True,
                    max_length=self.config.max_length, return_tensors="pt",
                ).to(self.config.device)  # fmt: skip
                tokens = self._model(**told).last_hidden_state  # (b, length, d)
                mask = told["attention_mask"][:, :, None].to(tokens.dtype)  # (b, length, 1)
                pooled = (
                    tokens[:, 0] if self.config.pooling == "cls" else (tokens * mask).sum(1) / mask.sum(1)
                )
            out[part] = pooled.float().cpu().numpy()
        return unit(out)


def _load(config: HuggingFaceConfig) -> tuple[Any, Any]:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("transformers", "finetune") from error
    where = {"revision": config.revision, "local_files_only": not config.allow_download}
    try:
        tokenizer = AutoTokenizer.from_pretrained(config.model, **where)
        # Weights in safetensors only: the older format is a pickle.
        model = AutoModel.from_pretrained(config.model, use_safetensors=True, **where)
    except Exception as error:  # the library raises many kinds
        raise ArtifactError(
            f"The model {config.model!r} cannot be loaded: {str(error).splitlines()[0]}",
            next_step="Name a folder with config.json, a tokenizer and model.safetensors, or set allow_download.",
        ) from error
    return tokenizer, model.to(config.device).eval()


def _hash(model: Any, config: HuggingFaceConfig) -> str:
    """Over every weight, so that a fine-tuned copy under the same name is another model."""
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    shaping = config.model_dump(mode="json", exclude={"device", "batch_size", "model", "allow_download"})
    return f"{digest.hexdigest()[:16]}-{config_hash(shaping)}"

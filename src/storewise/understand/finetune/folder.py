"""What fine-tuning leaves: one folder that transformers, this package and onnxruntime can all serve.

``config.json``, ``tokenizer.json``, ``model.safetensors`` (merged weights), ``finetune.json`` (facts, and the hash of
each file), and ``onnx/`` for :class:`storewise.understand.text.onnx_text.OnnxText`. A projection behind the encoder
(method ``head``) and bottlenecks (method ``adapter``) cannot be merged into a plain BERT: the folder then has no
``config.json`` that other tools would load wrongly, only ``onnx/``, which holds them as what they are.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from storewise.core.errors import ArtifactError
from storewise.core.folders import written_whole
from storewise.understand.finetune.tower import FILES, Tower, require
from storewise.understand.text import bert_graph, onnx_folder

ABOUT, ONNX = "finetune.json", "onnx"
EXTRA = "adapter."  # in the name of a bottleneck's tensor


def tensors(tower: Tower) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of a merged tower as float32, by their BERT names; a head is ``projection.weight``."""
    found = {name: value.detach().numpy().astype(np.float32, copy=True)
             for name, value in tower.model.state_dict().items() if value.dtype.is_floating_point}  # fmt: skip
    if tower.head is not None:
        found["projection.weight"] = tower.head.weight.detach().numpy().astype(np.float32, copy=True)
    return found


def is_plain(tower: Tower) -> bool:
    """Whether the weights are those of an ordinary BERT."""
    return tower.head is None and not any(EXTRA in name for name, _ in tower.model.named_parameters())


def write(folder: Path, tower: Tower, facts: Mapping[str, Any], *, int8: bool = True) -> None:
    """Write whole or not at all; what stood there before is replaced.

    Raises:
        MissingExtra: without onnx or safetensors.
    """
    with written_whole(folder) as scratch:
        require("safetensors.numpy").save_file(tensors(tower), str(scratch / "model.safetensors"))
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(tower.folder / name, scratch / name)
        write_onnx(scratch / ONNX, tower, facts, int8=int8)
        if not is_plain(tower):
            (scratch / "config.json").rename(scratch / "encoder-config.json")
        files = {path.name: _sha256(path) for path in sorted(scratch.iterdir()) if path.is_file()}
        about = {"facts": dict(facts), "files": files, "plain": is_plain(tower)}
        (scratch / ABOUT).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))


def write_onnx(folder: Path, tower: Tower, facts: Mapping[str, Any], *, int8: bool = True) -> None:
    """The part that serves: a folder for onnxruntime, bottlenecks and head inside.

    Raises:
        MissingExtra: without onnx.
    """
    shape = replace(bert_graph.BertShape.read(tower.folder), layers=tower.model.config.num_hidden_layers)
    graph = bert_graph.build(shape, tensors(tower), int8=int8)
    onnx_folder.write(
        folder, model=graph.SerializeToString(), tokenizer=(tower.folder / "tokenizer.json").read_bytes(),
        facts={**facts, "precision": "int8" if int8 else "fp32"},
    )  # fmt: skip


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts, after every hash has been checked.

    Raises:
        ArtifactError: when a file is missing or altered.
    """
    try:
        about = orjson.loads((folder / ABOUT).read_bytes())
        files, facts = dict(about["files"]), dict(about["facts"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{folder} has no readable {ABOUT} ({error}).",
            next_step=f"Name a folder that storewise finetune wrote, with {', '.join(FILES)}.",
        ) from error
    for name, expected in files.items():
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            raise ArtifactError(
                f"{folder / name} is missing or has been altered.", next_step="Fine-tune again."
            )
    return facts


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

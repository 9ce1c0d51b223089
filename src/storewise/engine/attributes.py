"""Attributes of a whole shop: only products that changed are read again; the rest comes from the last run.

The artifact ``attributes-<digest>`` holds the values (``understand.attributes.value.SCHEMA``), the key of each
product's content, and what was learned. ``attributes.json`` in the shop names the latest. Answers of a language
model are kept in ``attributes-llm.jsonl`` by content and model, line by line as they come, so that a run that is
stopped goes on where it was, and a training run without the model uses what it said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError
from storewise.core.progress import Progress
from storewise.engine.labelling.kept import KeptLabels
from storewise.engine.published import ARTIFACTS, replace_file
from storewise.engine.tagger import OFF, AttributeTagger
from storewise.understand.attributes.calibrate import Calibration
from storewise.understand.attributes.extractor import Extractor, labels
from storewise.understand.attributes.llm import LlmExtractor
from storewise.understand.attributes.product import Product, of_frame
from storewise.understand.attributes.value import SCHEMA, AttributeValue, from_frame, to_frame

NAME = "attributes"
POINTER = "attributes.json"
ANSWERS = "attributes-llm.jsonl"
RELEARN_SHARE = 0.1  # of the products changed since the shop's lists were learned: then they are learned anew
LLM_BATCH = 20


@dataclass(frozen=True)
class Extracted:
    """What a run gave. ``read``: products that were read, ``kept``: those taken over from the last run;
    ``problems``: answers of the language model that could not be used, by reason."""

    artifact: Artifact
    read: int
    kept: int
    problems: Mapping[str, int]

    @property
    def values(self) -> pl.DataFrame:
        return self.artifact.tables["values"]


def extract(
    root: Path,
    products: pl.DataFrame,
    *,
    progress: Progress,
    llm: LlmExtractor | None = None,
    tagger: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> Extracted:
    """Extract the attributes of all ``products`` (rows of the shop's table); ``remember`` what is written of it.
    ``tagger``: an artifact of ``engine.tagger``, "none" to do without, None for what the last run had (a first run
    has none). ``about``: facts for the artifact's manifest.

    Raises:
        AccessDenied: when the endpoint of the language model refuses the key.
        ArtifactError: when the tagger, or a kept answer of the labeller, is missing or damaged.
        DeadlineExceeded, DataError: when the language model answers nothing at all.
    """
    ids, known = products["product_id"].to_list(), KeptLabels(root, products)
    shop = [known.complete(name, product) for name, product in zip(ids, of_frame(products), strict=True)]
    last = latest(root)
    answers = _Answers(root / ANSWERS, _model_of(llm, last))
    problems = answers.ask(shop, llm, progress) if llm is not None else Counter[str]()
    tagging = _tagger(root, tagger, last)
    more = f"-{tagging.name}" if tagging else ""
    keys = [answers.key(one) + more + known.key(name) for name, one in zip(ids, shop, strict=True)]
    extractor, changed = _extractor(shop, keys, last, progress)
    kept = _kept(last, extractor, ids, keys)
    trust = answers.calibration(shop)
    new = [name for name in ids if name not in kept]
    of = dict(zip(ids, shop, strict=True))
    tagged = tagging([of[name] for name in new], progress=progress) if tagging else [[] for _ in new]
    for name, spans in progress.track(zip(new, tagged, strict=True), label="attributes", total=len(new)):
        others = [*map(trust, answers.of(of[name])), *spans, *known.of(name)]
        kept[name] = extractor([of[name]], others=[others])[0]
    found = [kept[name] for name in ids]
    facts = {**(about or {}),
        "extractor": extractor.fingerprint, "llm": answers.model, "products": len(ids), "changed": changed,
        "tagger": tagging.name if tagging else None,
    }  # fmt: skip
    tables = {
        "values": to_frame(ids, found),
        "content": pl.DataFrame({"product_id": ids, "key": keys}, CONTENT),
    }
    return Extracted(
        Artifact(NAME, facts, dict(extractor.state()), tables), len(new), len(ids) - len(new), problems
    )


CONTENT = {"product_id": pl.String, "key": pl.String}


def save(root: Path, extracted: Extracted) -> str:
    """Write the artifact and make it the latest; its folder's name."""
    name = artifact.write(extracted.artifact, root / ARTIFACTS).name
    remember(root, name)
    return name


def remember(root: Path, name: str) -> None:
    """Make a written artifact the one that the next run starts from."""
    replace_file(root / POINTER, orjson.dumps({"artifact": name}))


def latest(root: Path) -> Artifact | None:
    """What the last run left; None when there is none that can be read: then everything is read again."""
    try:
        name = Path(str(orjson.loads((root / POINTER).read_bytes())["artifact"])).name
        return artifact.read(root / ARTIFACTS / name)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ArtifactError):
        return None


def _tagger(root: Path, name: str | None, last: Artifact | None) -> AttributeTagger | None:
    """The tagger that is asked for, else the one of the last run."""
    wanted = name if name is not None else (last.facts.get("tagger") if last is not None else None)
    return None if wanted in (None, OFF) else AttributeTagger.load(root, str(wanted))


def _model_of(llm: LlmExtractor | None, last: Artifact | None) -> str | None:
    """The model whose answers count: the one given, else the one of the last run."""
    if llm is not None:
        return llm.config.fingerprint
    return str(last.facts["llm"]) if last is not None and last.facts.get("llm") else None


def _extractor(
    shop: Sequence[Product], keys: Sequence[str], last: Artifact | None, progress: Progress
) -> tuple[Extractor, int]:
    """The last run's extractor while few products have changed since it learned, or a new one."""
    extractor = Extractor()
    if last is not None and "learned" in last.arrays:
        extractor.restore(last.arrays)
        known = set(last.tables["content"]["key"].to_list())
        changed = int(last.facts.get("changed", 0)) + sum(key not in known for key in keys)
        if extractor.fingerprint == last.facts.get("extractor") and changed <= RELEARN_SHARE * len(keys):
            return extractor, changed
        extractor = Extractor()
    extractor.train(shop, progress=progress)
    return extractor, 0


def _kept(
    last: Artifact | None, extractor: Extractor, ids: Sequence[str], keys: Sequence[str]
) -> dict[str, list[AttributeValue]]:
    """Values of products whose content, lists and model are those of the last run."""
    if last is None or last.facts.get("extractor") != extractor.fingerprint:
        return {}
    before = dict(last.tables["content"].iter_rows())
    values = from_frame(last.tables["values"])
    return {
        name: values.get(name, []) for name, key in zip(ids, keys, strict=True) if before.get(name) == key
    }


class _Answers:
    """The answers of one language model, on disk."""

    def __init__(self, file: Path, model: str | None) -> None:
        self.model = model
        self._file = file
        self._values: dict[str, list[AttributeValue]] = dict(self._read()) if model else {}

    def _read(self) -> Iterator[tuple[str, list[AttributeValue]]]:
        """Answers of this model; a line that a crash cut off is none."""
        for line in self._file.read_bytes().splitlines() if self._file.is_file() else ():
            try:
                told = orjson.loads(line)
                if told["model"] == self.model:
                    yield told["content"], [AttributeValue(*value) for value in told["values"]]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue

    def ask(self, shop: Sequence[Product], llm: LlmExtractor, progress: Progress) -> Counter[str]:
        """Ask about every product that has no answer yet, and write each batch down as it comes."""
        problems: Counter[str] = Counter()
        waiting = list({p.content_hash: p for p in shop if p.content_hash not in self._values}.values())
        batches = [waiting[i : i + LLM_BATCH] for i in range(0, len(waiting), LLM_BATCH)]
        for batch in progress.track(batches, label="asking the language model"):
            asked = llm(batch)
            problems.update(asked.problems)
            with open(self._file, "ab") as file:
                for product, values, answered in zip(batch, asked.values, asked.answered, strict=True):
                    if answered:
                        self._values[product.content_hash] = values
                        told = {
                            "model": self.model,
                            "content": product.content_hash,
                            "values": [astuple(v) for v in values],
                        }
                        file.write(b"\n" + orjson.dumps(told))
            if "not asked" in asked.problems:
                break
        return problems

    def calibration(self, shop: Sequence[Product]) -> Calibration:
        """How often the model was right where the shop tells the truth itself; it has not seen that."""
        found = Calibration()
        for product in shop if self._values else ():
            found.add(self.of(product), labels(product))
        return found

    def of(self, product: Product) -> Sequence[AttributeValue]:
        return self._values.get(product.content_hash, ())

    def key(self, product: Product) -> str:
        """The content and, where a model has answered, which."""
        content = product.content_hash
        return f"{content}-{self.model}" if content in self._values else content


__all__ = ["SCHEMA", "Extracted", "extract", "latest", "remember", "save"]

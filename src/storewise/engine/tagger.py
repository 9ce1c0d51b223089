"""A shop's trained tagger: learned from a file of tagged sentences, kept as an artifact, read into attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError, ConfigError
from storewise.core.progress import Progress, Silent
from storewise.data.tagged_text import label_names, read_tagged
from storewise.engine.published import ARTIFACTS
from storewise.understand.attributes.calibrate import Calibration, group
from storewise.understand.attributes.canonical import canonical
from storewise.understand.attributes.names import known_name
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.text import MAX_CHARACTERS
from storewise.understand.attributes.value import MEASURES, AttributeValue

if TYPE_CHECKING:
    from storewise.understand.tagging.tagger import Found

NAME = "tagger"
OFF = "none"
DESCRIPTION_TRUST = 0.8  # as for rules: a description also speaks of other things than the product
BATCH = 256  # texts that are tagged at a time


def train_tagger(
    root: Path,
    file: Path,
    *,
    names: Mapping[str, str] | None = None,
    models: Sequence[str] | None = None,
    total_s: float = 600.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[str, Mapping[str, Any]]:
    """Choose a tagger on held-out sentences of ``file``, train it on all, write it to the shop's artifacts.

    ``names``: label → attribute, "" to leave a label out; without an entry a label that is a known name of an
    attribute is that one, and any other gives an attribute of its own name. ``models``: ``crf`` and encoders, as
    ``tagging.choose`` takes them; None takes those that can run here. Returns the artifact's folder name and facts.

    Raises:
        ConfigError: for a label in ``names`` that the file does not have, or a file without spans.
        DataError: when the file cannot be read.
        MissingExtra: without python-crfsuite, where it is needed.
        UnknownName: for a model that does not exist.
    """
    from storewise.understand.tagging import encoders
    from storewise.understand.tagging.choose import choose
    from storewise.understand.tagging.tagger import Tagger
    from storewise.understand.tagging.trial import CRF

    sentences = read_tagged(file)
    labels = label_names(sentences)
    attributes = _attributes(labels, names or {}, file)
    suited = encoders.suitable([s.tokens for s in sentences])[:1]
    choice = choose(
        sentences, candidates=list(models) if models is not None else [CRF, *suited],
        total_s=total_s, seed=seed, progress=progress,
    )  # fmt: skip
    best = next(v for v in choice.variants if v.name == choice.selected)
    choice.variants = [best]
    tagger = choice.refit(sentences, seed=seed, progress=progress)[best.name]
    if not isinstance(tagger, Tagger):
        raise ConfigError(
            "The dictionary alone is no tagger to keep.", next_step="Name crf or an encoder among the models."
        )
    facts = {
        "config": tagger.config.model_dump(mode="json"), "attributes": attributes, "sentences": len(sentences),
        "f1": round(best.validation, 4), "reason": choice.reason,
        "reliability": [[label, chance, *counts] for (label, chance), counts in best.reliability.items()],
    }  # fmt: skip
    made = Artifact(NAME, facts, dict(tagger.state()))
    return artifact.write(made, root / ARTIFACTS).name, facts


def _attributes(labels: Sequence[str], names: Mapping[str, str], file: Path) -> dict[str, str]:
    """Attribute of each label; "" for one that is left out."""
    if not labels:
        raise ConfigError(f"{file} holds no span.", next_step="Tag some tokens with B-LABEL and I-LABEL.")
    if unknown := sorted(set(names) - set(labels)):
        raise ConfigError(
            f"{file} has no label {unknown[0]!r}.", next_step=f"Its labels: {', '.join(labels)}."
        )
    told = {label: names.get(label, label) for label in labels}
    return {label: (known_name(name) or name.lower()) if name else "" for label, name in told.items()}


class AttributeTagger:
    """A kept tagger that reads products."""

    def __init__(self, found: Artifact, name: str) -> None:
        from storewise.understand.tagging.tagger import Tagger

        self.name = name
        self._attributes: Mapping[str, str] = found.facts["attributes"]
        self._tagger = Tagger(Tagger.Config.model_validate(found.facts["config"]))
        self._tagger.restore(found.arrays)
        self._trust = Calibration(dict(self._counts(found.facts["reliability"])))

    @classmethod
    def load(cls, root: Path, name: str) -> AttributeTagger:
        """A tagger by the name of its artifact in the shop, or by its folder.

        Raises:
            ArtifactError: when it is missing, damaged or no tagger.
        """
        folder = root / ARTIFACTS / name if (root / ARTIFACTS / name).is_dir() else Path(name)
        found = artifact.read(folder)
        if found.name != NAME:
            raise ArtifactError(
                f"{folder} is a {found.name}, not a tagger.",
                next_step="Train one with: storewise tagger FILE --shop SHOP",
            )
        return cls(found, folder.name)

    def __call__(
        self, products: Sequence[Product], *, progress: Progress | None = None
    ) -> list[list[AttributeValue]]:
        """Candidates of method "tagger" for each product, in the order of its texts.

        The confidence is the exact probability of the span, moved to how often the tagger was right at that
        probability on sentences it had not seen, 0.8 of it in a description.
        """
        found: list[list[AttributeValue]] = [[] for _ in products]
        texts = [
            (place, field, text[:MAX_CHARACTERS])
            for place, product in enumerate(products)
            for field, text in product.texts()
        ]
        batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
        for batch in (progress or Silent()).track(batches, label="tagging products"):
            tagged = self._tagger.tag_texts([text for _, _, text in batch])
            for (place, field, text), spans in zip(batch, tagged, strict=True):
                found[place] += (v for span in spans if (v := self._value(span, field, text)) is not None)
        return found

    def _value(self, span: Found, field: str, text: str) -> AttributeValue | None:
        name = self._attributes.get(span.label, "")
        raw = text[span.start : span.end]
        told, unit = canonical(name, raw) if name else ("", None)
        if not told or (name in MEASURES and unit is None):  # a measure without its unit says nothing
            return None
        value = AttributeValue(
            name, raw if name == "brand" else told, unit, raw, "title", span.start, span.end,
            span.confidence, "tagger", span.label,
        )  # fmt: skip
        sure = self._trust(value).confidence * (1.0 if field == "title" else DESCRIPTION_TRUST)
        return replace(value, field=field, confidence=sure)

    def _counts(self, reliability: Sequence[Any]) -> Iterator[tuple[str, tuple[int, int]]]:
        """The groups of calibration from what was counted on held-out sentences."""
        for label, chance, right, all_ in reliability:
            name = self._attributes.get(label, "")
            like = AttributeValue(name, "", None, "", "title", 0, 1, float(chance), "tagger", label)
            yield group(like), (int(right), int(all_))

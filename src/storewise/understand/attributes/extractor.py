"""Attributes of products by rules, built-in lists and what the shop's own catalogue teaches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import orjson

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.progress import Progress, Silent
from storewise.understand.attributes.calibrate import Calibration
from storewise.understand.attributes.gazetteer import Entry, Gazetteer, built_in
from storewise.understand.attributes.learn import learn, type_of
from storewise.understand.attributes.measure import measurements
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.quantity import quantities
from storewise.understand.attributes.resolve import resolve
from storewise.understand.attributes.size import ages, sizes
from storewise.understand.attributes.text import is_han, plain, tokens
from storewise.understand.attributes.value import AttributeValue

RULES_VERSION = 2
"""Raised when rules or lists change what is found: part of every cache key."""

_FITS = re.compile(r"(?:\bfor|\bfits?|\bcompatible with|\breplaces?|适用于?|兼容|适配|通用)[^,;.，。]{0,12}$")
_TWO_SCRIPTS = re.compile(
    r"(?:^|[\s,，【】\[\]()（）])([a-z][a-z0-9.'&-]{1,20})/([\u4e00-\u9fff]{2,6})(?=[^\u4e00-\u9fff]|$)"
)


class ExtractorConfig(Config):
    """``minimum``: values below this confidence are not told. ``description_trust``: factor on the confidence of
    what stands in the description alone, which also speaks of other things than the product."""

    minimum: float = 0.3
    description_trust: float = 0.8
    calibrate: bool = True


class Extractor(Component[ExtractorConfig]):
    """Rules + lists. Without ``train`` it knows no brands and only a coarse list of types.

    >>> lamp = Product("Red metal lamp, set of 2, 30 cm")
    >>> [(v.name, v.text) for v in Extractor()([lamp])[0]]
    [('quantity', '2 piece'), ('length', '30 cm'), ('colour', 'red'), ('material', 'metal'), ('type', 'lamp')]
    """

    Config = ExtractorConfig

    def __init__(self, config: ExtractorConfig | None = None) -> None:
        super().__init__(config)
        self._learn([], Calibration())

    def _learn(self, entries: Sequence[Entry], calibration: Calibration) -> None:
        self._entries = list(entries)
        self._calibration = calibration
        own_types = any(e.name == "type" for e in entries)
        general = [e for e in built_in() if not (own_types and e.name == "type" and e.value)]
        self._lists = Gazetteer([*general, *entries])

    def train(self, products: Sequence[Product], *, progress: Progress | None = None) -> None:
        """Learn the shop's lists from all products, and how far each method can be trusted: lists of one half
        are measured on the other, so that no product vouches for itself."""
        calibration = Calibration()
        if self.config.calibrate and len(products) >= 40:
            halves = products[::2], products[1::2]
            for here, there in (halves, halves[::-1]):
                self._learn(learn(here), Calibration())
                for product in (progress or Silent()).track(there, label="measuring attribute rules"):
                    calibration.add(self.candidates(product), labels(product))
        self._learn(learn(products), calibration)

    @property
    def fingerprint(self) -> str:
        """Identifies rules, lists and what was learned: a part of the cache key of what is found."""
        told = orjson.dumps(
            [RULES_VERSION, self.config.model_dump(mode="json"), self.state()["learned"].tolist()]
        )
        return hashlib.sha256(told).hexdigest()[:16]

    def __call__(
        self, products: Sequence[Product], *, others: Sequence[Sequence[AttributeValue]] | None = None
    ) -> list[list[AttributeValue]]:
        """The resolved values of each product. ``others``: candidates of other methods for each product (a tagger,
        a language model), which take part by their confidence."""
        found = []
        for place, product in enumerate(products):
            extra = others[place] if others is not None else ()
            candidates = [*map(self._calibration, self.candidates(product)), *extra]
            found.append(resolve(candidates, product.given, minimum=self.config.minimum))
        return found

    def candidates(self, product: Product) -> Iterator[AttributeValue]:
        """Everything that rules and lists find, before calibration and choice."""
        for field, text in product.texts():
            trust = 1.0 if field == "title" else self.config.description_trust
            yield from self._measures(field, text, trust)
            yield from self._listed(field, text, trust)

    def _measures(self, field: str, text: str, trust: float) -> Iterator[AttributeValue]:
        for rule, read in (("units", measurements), ("count", quantities), ("size", sizes), ("age", ages)):
            for m in read(text):
                raw = text[m.start : m.end]
                yield AttributeValue(
                    m.name,
                    m.value,
                    m.unit or None,
                    raw,
                    field,
                    m.start,
                    m.end,
                    trust * m.confidence,
                    "rule",
                    rule,
                )

    def _listed(self, field: str, text: str, trust: float) -> Iterator[AttributeValue]:
        low = plain(text)
        words = tokens(low)
        for m in self._lists.find(low, words):
            entry, sure, source = m.entry, m.entry.confidence, ""
            if entry.name == "brand":
                sure, source = _sure_of_brand(low, m.start, words[0].start, sure)
            elif m.end - m.start == 1 and _inside_a_word(low, m.start):
                sure, source = 0.4 * sure, "one character"
            elif entry.name == "type" and _FITS.search(low, max(0, m.start - 30), m.start):
                sure, source = 0.5 * sure, "fits"
            elif entry.name == "type":
                source = "first" if m.start == words[0].start else ("last" if m.end == words[-1].end else "")
            yield AttributeValue(
                entry.name, entry.value, None, text[m.start : m.end], field, m.start, m.end, trust * sure,
                entry.method, source,
            )  # fmt: skip
        if field == "title":
            for pair in _TWO_SCRIPTS.finditer(low):
                raw = text[pair.start(1) : pair.end(2)]
                yield AttributeValue(
                    "brand", raw, None, raw, field, pair.start(1), pair.end(2), 0.7, "rule", "two scripts"
                )

    def state(self) -> Arrays:
        """Entries and calibration as one array of JSON bytes."""
        entries = [[e.name, e.value, e.phrase, e.confidence, e.method] for e in self._entries]
        text = orjson.dumps({"entries": entries, "calibration": self._calibration.counts})
        return {"learned": np.frombuffer(text, np.uint8)}

    def restore(self, state: Arrays) -> None:
        told = orjson.loads(np.asarray(state["learned"], np.uint8).tobytes())
        counts = {key: (right, all_) for key, (right, all_) in told["calibration"].items()}
        self._learn([Entry(*entry) for entry in told["entries"]], Calibration(counts))


def labels(product: Product) -> Mapping[str, tuple[str, ...]]:
    """What the shop tells itself; the category stands for the type."""
    kind = type_of(product)
    return {**product.given, **({"type": (kind,)} if kind else {})}


def _inside_a_word(low: str, place: int) -> bool:
    """One character with others of its script on both sides may be a part of any word: 加白花."""
    before, after = low[place - 1 : place], low[place + 1 : place + 2]
    return low[place] not in "男女" and is_han(before) and is_han(after) and after not in "款色"


def _sure_of_brand(low: str, start: int, first: int, sure: float) -> tuple[float, str]:
    """A brand that stands first is the maker; after "for" it is what the thing fits."""
    if start == first:
        return min(0.95, sure + 0.15), "first"
    if _FITS.search(low, max(0, start - 30), start):
        return 0.25, "fits"
    return 0.75 * sure, "inside"

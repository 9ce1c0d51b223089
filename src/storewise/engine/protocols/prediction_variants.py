"""What ``prediction-ablation`` tries: every network beside the simple models, and one setting changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storewise.predict.base import Rows

SIMPLE = "predict.rate.v1"
REFERENCE = "predict.logistic.v1"
PLAIN = (SIMPLE, REFERENCE, "predict.lightgbm.v1")
NETWORKS = ("predict.fm.v1", "predict.deepfm.v1", "predict.dcn_v2.v1", "predict.din.v1")
HISTORIES = "predict.din.v1"


@dataclass(frozen=True)
class Variant:
    """``label``: how the row is called; ``config``: what differs from the defaults."""

    label: str
    component: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """``reference``: the label that the others are compared with."""

    question: str
    reference: str
    variants: tuple[Variant, ...]


def models(names: tuple[str, ...]) -> Section:
    """The components beside each other with their defaults."""
    return Section("models", REFERENCE, tuple(Variant(name, name) for name in names))


def ablations(network: str, rows: Rows) -> list[Section]:
    """Sections for the network that validation thought best; histories only where rows have some.

    >>> [s.question for s in ablations("predict.fm.v1", Rows.of(numbers=[[1.0]], number_names=("a",)))]
    ['regularisation', 'class weighting']
    """

    def section(question: str, component: str, changes: Mapping[str, Mapping[str, Any]]) -> Section:
        plain = f"{component}, as it is"
        variants = [
            Variant(plain, component),
            *(Variant(label, component, c) for label, c in changes.items()),
        ]
        return Section(question, plain, tuple(variants))

    none: dict[str, Any] = {"l2": 0.0, "dropout": 0.0, "weight_decay": 0.0}
    changes: dict[str, Mapping[str, Any]] = {"no L2": {"l2": 0.0, "weight_decay": 0.0}}
    if network != "predict.fm.v1":
        changes["no dropout"] = {"dropout": 0.0}
    changes |= {"no early stopping": {"patience": 0}, "none of these": {**none, "patience": 0}}
    found = [
        section("regularisation", network, changes),
        section(
            "class weighting", network,
            {f"positives weighted, exponent {e}": {"balance": e} for e in (0.5, 1.0)},
        ),
    ]  # fmt: skip
    largest = max(rows.sizes, default=0)
    sizes = [size for size in (1000, 300, 100, 30) if size < largest]
    if sizes:
        changed = {f"at most {size} rows a table": {"most_rows": size} for size in sizes}
        found.append(section(f"hashing, up to {largest:,} codes", network, changed))
    if rows.sequences:
        kinds = {how: {"augmentation": {how: 0.5}} for how in ("crop", "mask", "reorder")}
        kinds["crop, mask and reorder"] = {"augmentation": {"crop": 0.3, "mask": 0.3, "reorder": 0.3}}
        found.insert(0, section("augmented histories", HISTORIES, kinds))
    return found

"""What ``sequence-ablation`` tries: networks over the order of histories, and one setting of SASRec changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SIMPLE, KNN = "retrieve.popular.v1", "retrieve.item_knn.v1"
SASREC, GRU4REC, TWO_TOWER = "retrieve.sasrec.v1", "retrieve.gru4rec.v1", "retrieve.two_tower.v1"
NETWORKS = (SASREC, GRU4REC, TWO_TOWER)
REFERENCE = "SASRec, as it is"


@dataclass(frozen=True)
class Variant:
    """``label``: how the row is called; ``config``: what differs from the defaults; ``content``: whether the model is
    given the products' texts."""

    label: str
    component: str
    config: Mapping[str, Any] = field(default_factory=dict)
    content: bool = True


@dataclass(frozen=True)
class Section:
    """``reference``: the label that the others are compared with."""

    question: str
    reference: str
    variants: tuple[Variant, ...]


def sections(networks: tuple[str, ...], *, content: bool, full: bool) -> list[Section]:
    """``content``: whether the products have texts; ``full``: whether SASRec sums over all products as it is.

    >>> [section.question for section in sections(NETWORKS, content=False, full=True)]
    ['networks', 'loss (as it is: softmax over all products)', 'repeats', 'augmented histories']
    """
    plain = Variant(REFERENCE, SASREC)
    models = [Variant("popularity", SIMPLE), Variant("item neighbourhood", KNN), plain]
    models += [Variant(name, name) for name in networks if name != SASREC]
    found = [Section("networks", REFERENCE, tuple(models))]
    if content and TWO_TOWER in networks:
        towers = Variant(TWO_TOWER, TWO_TOWER), Variant("ids alone", TWO_TOWER, content=False)
        found.append(Section("content of two towers", TWO_TOWER, towers))
    every, sample = "softmax over all products", "sampled softmax, log-Q"
    losses = {sample: {"loss": "sampled"}} if full else {every: {"loss": "full"}}
    losses["one negative, binary"] = {"loss": "bce"}
    kinds = {how: {"augmentation": {how: 0.5}} for how in ("crop", "mask", "reorder")}
    kinds["crop, mask and reorder"] = {
        "augmentation": {"crop": 0.3, "mask": 0.3, "reorder": 0.3},
    }
    changes: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
        f"loss (as it is: {every if full else sample})": losses,
        "repeats": {"log odds of a repeat not learned": {"repeats": False}},
        "augmented histories": kinds,
    }
    for question, changed in changes.items():
        rows = (plain, *(Variant(label, SASREC, config) for label, config in changed.items()))
        found.append(Section(question, REFERENCE, rows))
    return found

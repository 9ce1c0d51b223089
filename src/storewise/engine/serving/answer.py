"""An answer in plain values, as the API and the command line give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storewise.engine.recommend import Answer, Item
from storewise.engine.serving.reasons import Language, moved, render
from storewise.understand.rules import say


def payload(answer: Answer, language: Language = "en") -> dict[str, Any]:
    """The list with each product's facts and its reason in words; see docs/api.md."""
    found: dict[str, Any] = {
        "decision_id": answer.decision_id,
        "snapshot": answer.snapshot.id,
        "slot": answer.ask.slot,
        "step": answer.step,
        "notes": list(answer.notes),
        "rules": [
            {
                "rule": one.rule.name,
                "action": one.rule.action,
                "products": one.products,
                "text": say(one.rule, language),
            }
            for one in answer.rules
        ],
        "items": _items(answer, answer.items, language),
        **_experiment(answer),
    }
    if answer.ask.explain:
        second = answer.snapshot.second
        found["retrieved"] = _items(answer, answer.retrieved or answer.items, language)
        found["ranker"] = second.name if second is not None else None
        found["ranker_serves"] = second is not None and second.serves
        if second is not None and not second.serves:
            found["ranked"] = _items(answer, answer.shadow, language)
            found["ranker_why"] = second.why
    return found


def _items(answer: Answer, items: Sequence[Item], language: Language) -> list[dict[str, Any]]:
    catalogue = answer.snapshot.catalogue
    found = []
    for position, item in enumerate(items):
        reason = item.reason
        about = {
            "kind": reason.kind,
            "product_id": catalogue.ids[reason.product] if reason.product is not None else None,
            "value": reason.value,
            "text": render(reason, catalogue, language),
        }
        place: dict[str, Any] = {
            "position": position,
            "score": item.score,
            "source": item.source,
            "reason": about,
        }
        if item.p_purchase == item.p_purchase:
            place["p_purchase"] = item.p_purchase
        if item.moves:
            place["moved"] = [moved(move, language) for move in item.moves]
        if item.propensity < 1.0:
            place["propensity"] = item.propensity
        found.append(catalogue.payload(item.product) | place)
    return found


def _experiment(answer: Answer) -> dict[str, Any]:
    """Nothing where no experiment runs, so that answers stay as they were."""
    experiment = answer.snapshot.pipeline.experiment
    if experiment is None:
        return {}
    return {"experiment": {"name": experiment.name, "variant": answer.variant}}

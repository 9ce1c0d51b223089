"""An answer in plain values, as the API and the command line give it."""

from __future__ import annotations

from typing import Any

from storewise.engine.recommend import Answer
from storewise.engine.serving.reasons import Language, render
from storewise.understand.rules import say


def payload(answer: Answer, language: Language = "en") -> dict[str, Any]:
    """The list with each product's facts and its reason in words; see docs/api.md."""
    catalogue = answer.snapshot.catalogue
    items = []
    for position, item in enumerate(answer.items):
        reason = item.reason
        about = {
            "kind": reason.kind,
            "product_id": catalogue.ids[reason.product] if reason.product is not None else None,
            "value": reason.value,
            "text": render(reason, catalogue, language),
        }
        place = {"position": position, "score": item.score, "source": item.source, "reason": about}
        items.append(catalogue.payload(item.product) | place)
    return {
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
        "items": items,
        **_experiment(answer),
    }


def _experiment(answer: Answer) -> dict[str, Any]:
    """Nothing where no experiment runs, so that answers stay as they were."""
    experiment = answer.snapshot.pipeline.experiment
    if experiment is None:
        return {}
    return {"experiment": {"name": experiment.name, "variant": answer.variant}}

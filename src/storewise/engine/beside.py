"""Sections of a benchmark's report that show the same rows otherwise: asked differently, or against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storewise.engine import measure
from storewise.metrics.intervals import Interval

if TYPE_CHECKING:
    from storewise.recommend.choose.select import Selection

FUSION = "retrieve.fusion.v1"
Found = Mapping[str, Sequence[measure.Answers]]
Gain = Callable[[Any, Any, int], Interval]


def above_best_single(rows: list[dict[str, Any]], found: Found, selection: Selection, gain: Gain) -> None:
    """Put into the selected row how far it is above the single retriever that validation thinks best, and into
    the row ``gain(ours, theirs, place of the metric)`` for each metric."""
    singles = [choice for choice in selection.choices if choice.name != FUSION and choice.name in found]
    selected = next((row for row in rows if row["selected"]), None)
    if not singles or selected is None:
        return
    best = max(singles, key=lambda choice: choice.validation).name
    ours, theirs = found[selected["model"]], found[best]
    names = [f"{name}@{ours[0].top.shape[1]}" for name in ours[0].names]
    gains = {name: gain(ours, theirs, place) for place, name in enumerate(names)}
    selected["above_best_single"] = {"model": best, "metrics": measure.as_json(gains)}


def sections(section: Mapping[str, Any], variants: Sequence[str]) -> list[dict[str, Any]]:
    """One section for each variant of the question, and one for what the selected row has over the best single
    retriever, if it is another one."""
    made = [
        {
            "question": f"{section['question']}, {name}",
            "reason": "The same models, asked otherwise.",
            "rows": [_row(row, row["groups"][name]["metrics"]) for row in section["rows"]],
        }
        for name in variants
    ]
    selected: dict[str, Any] = next((row for row in section["rows"] if row["selected"]), {})
    told = selected.get("above_best_single")
    if told and told["model"] != selected["model"]:
        made.append(
            {
                "question": f"{section['question']}, above the best single retriever",
                "reason": f"Differences to {told['model']}, which is best of the single ones on validation, the "
                "same shoppers in pairs.",
                "rows": [_row(selected, told["metrics"])],
            }
        )
    return made


def _row(row: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("model", "selected", "seconds")}
    return {**kept, "metrics": dict(metrics)}

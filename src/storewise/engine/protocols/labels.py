"""``labels``: how well a column of the catalogue is told from text, from photos, from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.data.sources.labelled import read_labelled
from storewise.engine.protocols import label_sections as sections
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.label_features import Features, Task, make_features, make_task
from storewise.metrics import classification, intervals
from storewise.metrics.intervals import Interval
from storewise.understand.labels import heads, views
from storewise.understand.labels.views import Learned

MAJORITY, TEXT, IMAGE, BOTH = "majority class", "text", "image", "both"


class Labels:
    """Classes of a column, predicted for products that were never seen with their label.

    Encoders, heads and weights of views are chosen on validation; the choice is trained again on training and
    validation together; the test part is asked once.
    """

    name = "labels"
    about = "a column of the catalogue predicted for unseen products, from text, from photos, from both"
    reads = ("catalogue", "images", "label", "split")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: encoders.

        Raises:
            ConfigError: without --label, or for a column that does not exist.
            DataError: for files that cannot be read or hold too little.
        """
        if inputs.label is None:
            raise ConfigError(
                "The protocol needs --label.", next_step="Name the column to predict: --label COLUMN."
            )
        catalogue = inputs.path("catalogue")
        images = inputs.path("images") if inputs.images is not None else None
        found = read_labelled(catalogue, inputs.label, images=images, split=inputs.split)
        task = make_task(found, inputs.label, seed=seed)
        features = make_features(task, models, budget_s=budget_s, seed=seed, progress=progress)
        learned = learn_views(task, features, seed=seed, progress=progress)
        others = [
            sections.similar(task, features, seed=seed, progress=progress),
            sections.few_labels(task, features, seed=seed, progress=progress),
            sections.actively(task, features, seed=seed, progress=progress),
        ]
        chosen = _best(learned, task)
        return {
            "data": describe(task, features, inputs.label),
            "about": self.about,
            "question": inputs.label,
            "reason": _reason(learned, task, chosen),
            "rows": rows(task, learned, chosen, seed=seed),
            "others": [section for section in others if section is not None],
        }


def learn_views(task: Task, features: Features, *, seed: int, progress: Progress) -> dict[str, Learned]:
    """Text, image and both, as far as they are there. Both: text, image, and all side by side, weighed."""
    found: dict[str, Learned] = {}
    names = heads.candidates(len(task.parts.train))

    def learn(name: str, blocks: Sequence[Any]) -> Learned:
        return views.learn(
            name, blocks, task.y, len(task.names), task.parts, seed=seed, names=names, progress=progress
        )

    if features.text:
        found[TEXT] = learn(TEXT, features.text)
    if features.image:
        found[IMAGE] = learn(IMAGE, features.image)
    if len(found) == 2:
        joint = learn("joint", [*features.text, *features.image])
        found[BOTH] = views.fuse(BOTH, [found[TEXT], found[IMAGE], joint], task.y, task.parts)
    return found


def rows(task: Task, learned: Mapping[str, Learned], chosen: str, *, seed: int) -> list[dict[str, Any]]:
    """The majority class and each view, the chosen one first."""
    truth, k = task.y[task.parts.test], len(task.names)
    common = np.full(len(truth), np.bincount(task.y[task.parts.known], minlength=k).argmax())
    every = np.arange(len(truth))
    loss = {name: -view.test[every, truth].astype(np.float64) for name, view in learned.items()}
    right = {name: (view.test.argmax(axis=1) == truth).astype(float) for name, view in learned.items()}

    def metrics(predicted: Any) -> dict[str, Interval]:
        return {
            "accuracy": sections.mean(np.asarray(predicted == truth, np.float64), seed),
            "macro_f1": classification.macro_f1(truth, predicted, k, seed=seed),
        }

    out = []
    for name, view in learned.items():
        figures = metrics(view.test.argmax(axis=1)) | {"log_loss": sections.mean(loss[name], seed)}
        if name == BOTH:
            for other in (TEXT, IMAGE):
                figures[f"above_{other}"] = intervals.paired_difference(right[name], right[other], seed=seed)
                figures[f"log_loss_below_{other}"] = intervals.paired_difference(
                    loss[other], loss[name], seed=seed
                )
        out.append(
            sections.row(name, figures, selected=name == chosen, seconds=view.seconds, about=view.about)
        )
    out.sort(key=lambda one: (not one["selected"], -one["metrics"]["accuracy"]["value"]))
    return [*out, sections.row(MAJORITY, metrics(common), selected=False, simple=True)]


def describe(task: Task, features: Features, label: str) -> str:
    """One line on the data and what was made of them."""
    parts = task.parts
    sizes = (
        f"{len(parts.train):,} to train, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    )
    notes = "; ".join([*task.notes, *features.notes])
    return f"{len(task.y):,} products of {len(task.names)} classes of {label} ({sizes}); {notes}"


def _best(learned: Mapping[str, Learned], task: Task) -> str:
    truth = task.y[task.parts.validation]
    return max(learned, key=lambda name: learned[name].validation_accuracy(truth))


def _reason(learned: Mapping[str, Learned], task: Task, chosen: str) -> str:
    truth = task.y[task.parts.validation]
    told = ", ".join(f"{name} {view.validation_accuracy(truth):.3f}" for name, view in learned.items())
    return f"{chosen} was most accurate on validation ({told}): {learned[chosen].about}."

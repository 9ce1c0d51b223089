"""``tagging``: entity-level F1 of labelled spans, learned from one file of tagged sentences, tested on another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.data.tagged_text import TaggedSentence, label_names, read_tagged
from storewise.engine.protocols.inputs import Inputs
from storewise.metrics import intervals
from storewise.metrics.spans import Span, match_counts

TUNING_SHARE = 0.6  # of the whole budget; what a study is given
PREFIX = "tag."


class Tagging:
    """Exact match of start, end and label, as the CoNLL evaluation counts it; intervals over sentences.

    A validation part of the training file chooses; the winner and the rows beside it are trained again on the
    whole training file, and the test file is asked once.
    """

    name = "tagging"
    about = "spans of tokens found exactly (start, end and label), micro-averaged"
    reads = ("train", "test")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            ConfigError: without --train or --test.
            DataError: when a file cannot be read.
            UnknownName: for a model that does not exist.
        """
        from storewise.understand.tagging.choose import choose
        from storewise.understand.tagging.trial import DICTIONARY

        train, test = read_tagged(inputs.path("train")), read_tagged(inputs.path("test"))
        wanted = None if models is None else [name.removeprefix(PREFIX) for name in models]
        if wanted is not None and DICTIONARY not in wanted:
            wanted = [DICTIONARY, *wanted]
        total_s = budget_s / TUNING_SHARE
        choice = choose(train, candidates=wanted, total_s=total_s, seed=seed, progress=progress)
        trained = choice.refit(train, seed=seed, progress=progress)
        known = {sentence.tokens for sentence in train}
        fresh = np.array([sentence.tokens not in known for sentence in test])
        rows, fresh_rows = [], []
        for variant in choice.variants:
            started = time.perf_counter()
            counts, by_label = _ask(trained[variant.name], test)
            row: dict[str, Any] = {
                "model": PREFIX + variant.name,
                "selected": variant.name == choice.selected,
                "simple": variant.name == DICTIONARY,
                "seconds": round(choice.seconds(variant) + time.perf_counter() - started, 2),
                "metrics": figures(counts, seed=seed),
                "config": _settings(variant),
                "validation": variant.validation,
            }
            fresh_rows.append({**row, "metrics": figures(counts[fresh], seed=seed)})
            rows.append({**row, "labels": {name: figures(c, seed=seed) for name, c in by_label.items()}})
        others = []
        if 0 < fresh.sum() < len(test):
            question = f"the {int(fresh.sum()):,} test sentences that are not in the training file"
            others.append({"question": question, "reason": choice.reason, "rows": _sorted(fresh_rows)})
        return {
            "data": _described(train, test),
            "about": self.about,
            "question": "spans",
            "reason": choice.reason,
            "rows": _sorted(rows),
            "others": others,
        }


def _ask(
    tagger: Any, test: Sequence[TaggedSentence]
) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:
    """Counts by sentence, over all labels and for each."""
    texts = [sentence.tokens for sentence in test]
    if hasattr(tagger, "tag_all"):
        found = [[Span(*span[:3]) for span in spans] for spans in tagger.tag_all(texts)]
    else:
        found = [tagger.tag(tokens) for tokens in texts]
    truth = [sentence.spans for sentence in test]
    labels = {label: match_counts(truth, found, label=label) for label in label_names(test)}
    return match_counts(truth, found), labels


def figures(counts: npt.NDArray[np.float64], *, seed: int) -> dict[str, dict[str, float]]:
    """F1, precision and recall of (n_sentences, 3) counts, sentences resampled.

    >>> round(figures(np.array([[1.0, 1.0, 2.0]] * 9), seed=1)["f1"]["value"], 4)
    0.6667
    """
    matched, true, found = counts.T
    numerators = np.stack([2 * matched, matched, matched], axis=1)
    denominators = np.stack([true + found, found, true], axis=1)
    names = ("f1", "precision", "recall")
    made = intervals.ratio(numerators, denominators, seed=seed)
    return {name: interval.as_dict() for name, interval in zip(names, made, strict=True)}


def _settings(variant: Any) -> dict[str, Any]:
    if variant.config is None:
        return {"least_share": variant.least_share}
    found: dict[str, Any] = variant.config.model_dump(mode="json")
    return found


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (not row["selected"], -row["metrics"]["f1"]["value"]))


def _described(train: Sequence[TaggedSentence], test: Sequence[TaggedSentence]) -> str:
    labels = len(set(label_names(train)) | set(label_names(test)))
    spans = [sum(len(sentence.spans) for sentence in part) for part in (train, test)]
    return (
        f"{len(train):,} sentences with {spans[0]:,} spans to learn from, {len(test):,} with {spans[1]:,} to test, "
        f"{labels} label{'s' if labels != 1 else ''}"
    )

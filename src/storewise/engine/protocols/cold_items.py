"""``cold-items``: products without any behaviour, ranked by their text for the customers who later bought them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from storewise.core.errors import MissingExtra, StorewiseError, UnknownName
from storewise.core.progress import Progress, step
from storewise.core.rng import spawn
from storewise.engine.cold import FIGURES, ColdWindow, Values, texts_of, windows
from storewise.engine.history import read_history
from storewise.engine.protocols.base import span
from storewise.engine.protocols.cold_methods import Tuned, tune_methods
from storewise.engine.protocols.inputs import Inputs
from storewise.metrics import intervals
from storewise.metrics.intervals import Interval
from storewise.understand.affinity import AffinityConfig, choices
from storewise.understand.base import Vectors

DAYS = 84.0
NAMES = [f"{name}@{k}" for name, k in FIGURES]
METHODS = ("full", "lora", "adalora", "adapter", "head")
ROWS = ("random", "tfidf", "tfidf_svd", "frozen", *METHODS)
SELF = 0  # recall@20, the figure that chooses


@dataclass(frozen=True)
class Answer:
    """What one row answered. ``pooling`` was chosen on validation, where it reached ``validation``."""

    name: str
    values: Values
    validation: float
    pooling: AffinityConfig | None
    seconds: float


class ColdItems:
    """The last 12 weeks test, the 12 before validate. Candidates are all products first seen in the window;
    customers are those known before it who bought a candidate inside; each ranks all candidates by content.

    How similarities to a history become a score is chosen on validation for each row from the same list
    (:func:`storewise.understand.affinity.choices`). Fine-tuning sees what lies before a window alone: one
    model is trained for the validation window, another one for the test window.
    """

    name = "cold-items"
    about = "products first sold in the last 12 weeks ranked by text; 12 weeks before validate, k = 20"
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: some of ``ROWS``; the five
        fine-tuned ones need the extra ``finetune`` and are left out, and said so, where it is missing.

        Raises:
            UnknownName: for a row that does not exist.
            DataError: when the history is too short, has no new products, or has no text.
        """
        wanted = _wanted(models)
        with step(progress, "reading the shop"):
            history = read_history(inputs.data)
            validation, test = windows(history, days=DAYS)
        texts = texts_of(history.whole)
        found = [_random(validation, test, seed)]
        left_out = ""
        for name in [n for n in ("tfidf", "tfidf_svd", "frozen") if n in wanted]:
            try:
                found.append(_frozen(name, texts, validation, test, seed, progress))
            except StorewiseError as error:
                if models is not None or name != "frozen":
                    raise
                left_out = f"; frozen and fine-tuned rows left out: {error.problem}"
        tuned: list[Tuned] = []
        methods = [m for m in METHODS if m in wanted and not left_out]
        if methods and (lacking := [x for x in ("torch", "transformers", "peft") if find_spec(x) is None]):
            if models is not None:
                raise MissingExtra(lacking[0], "finetune")
            left_out = f"; fine-tuned rows left out: {lacking[0]} is not installed"
        elif methods:
            tuned = tune_methods(methods, texts, validation, test, seed=seed, progress=progress)  # fmt: skip
        found += [_ask(t.name, t.on_validation, t.on_test, validation, test, t.seconds) for t in tuned]
        best = max(found, key=lambda answer: answer.validation)
        reason = (
            f"{best.name} had the largest recall@20 on validation ({best.validation:.4f}, "
            f"{len(validation.histories)} customers, {len(validation.candidates)} new products){left_out}"
        )
        rows = [_row(answer, answer is best, seed) for answer in found]
        rows.sort(key=lambda row: (not row["selected"], -row["metrics"][NAMES[SELF]]["value"]))
        data = (
            f"{span(history.whole)}; test: {len(test.candidates)} new products, {len(test.histories)} "
            f"customers, {int(test.relevant.nnz)} purchases"
        )
        return {
            "data": data, "about": self.about, "question": "new products", "reason": reason, "rows": rows,
            "others": _others(found, tuned, seed),
        }  # fmt: skip


def _wanted(models: Sequence[str] | None) -> list[str]:
    if models is None:
        return list(ROWS)
    if unknown := [name for name in models if name not in ROWS]:
        raise UnknownName(
            f"cold-items has no row {unknown[0]!r}.", next_step=f"Choose among {', '.join(ROWS)}."
        )
    return list(dict.fromkeys(models))


def _random(validation: ColdWindow, test: ColdWindow, seed: int) -> Answer:
    """The simple rule: of products nobody has bought, nothing but their text could say which is liked."""
    rng = spawn(seed, "cold-items", "random")
    scores = [rng.random(part.relevant.shape) for part in (validation, test)]
    of_validation = float(np.nanmean(validation.values(scores[0])[:, SELF]))
    return Answer("random", test.values(scores[1]), of_validation, None, 0.0)


def _frozen(
    name: str, texts: Sequence[str], validation: ColdWindow, test: ColdWindow, seed: int, progress: Progress
) -> Answer:
    """A row that learns nothing from behaviour. The text of every product is known when it is listed."""
    started = time.perf_counter()
    vectors = _text_vectors(name, texts, seed, progress)
    return _ask(name, vectors, vectors, validation, test, time.perf_counter() - started)


def _text_vectors(name: str, texts: Sequence[str], seed: int, progress: Progress) -> Vectors:
    if name == "tfidf":
        from sklearn.feature_extraction.text import TfidfVectorizer

        return np.asarray(TfidfVectorizer(sublinear_tf=True).fit_transform(texts).toarray(), np.float32)
    if name == "tfidf_svd":
        from storewise.understand.text.tfidf import TfidfSvd

        model = TfidfSvd()
        model.train(texts, rng=spawn(seed, "cold-items", name))
        return model(texts)
    from storewise.understand.text.onnx_text import OnnxTextConfig
    from storewise.understand.text.packaged import Minilm

    return Minilm(OnnxTextConfig(threads=1))(texts, progress=progress)


def _ask(
    name: str, on_validation: Vectors, on_test: Vectors, validation: ColdWindow, test: ColdWindow, seconds: float
) -> Answer:  # fmt: skip
    """Choose the pooling on validation, ask the test once."""
    tried = [
        (float(np.nanmean(validation.values(validation.scores(on_validation, pooling))[:, SELF])), pooling)
        for pooling in choices()
    ]
    score, pooling = max(tried, key=lambda pair: pair[0])
    return Answer(name, test.values(test.scores(on_test, pooling)), score, pooling, seconds)


def _row(answer: Answer, selected: bool, seed: int) -> dict[str, Any]:
    found = intervals.mean(answer.values, seed=seed)
    return {
        "model": answer.name,
        "selected": selected,
        "simple": answer.name == "random",
        "seconds": round(answer.seconds, 1),
        "metrics": {name: value.as_dict() for name, value in zip(NAMES, found, strict=True)},
        "config": answer.pooling.model_dump(mode="json") if answer.pooling else {},
        "validation": answer.validation,
    }


def _others(found: Sequence[Answer], tuned: Sequence[Tuned], seed: int) -> list[dict[str, Any]]:
    by_name = {answer.name: answer for answer in found}
    sections = []
    if differences := _differences(by_name, seed):
        why = (
            "the same customers in pairs; an interval that excludes 0 (a ratio: 1) would hold for others too"
        )
        sections.append({"question": "differences", "reason": why, "rows": differences})
    if tuned:
        why = (
            "gain: recall@20 above frozen; kept: that gain over full fine-tuning's, which says something only "
            "where full fine-tuning gains; share: trained parameters over full fine-tuning's"
        )
        sections.append({"question": "methods", "reason": why, "rows": _methods(by_name, tuned, seed)})
    return sections


def _differences(by_name: Mapping[str, Answer], seed: int) -> list[dict[str, Any]]:
    """Fine-tuned (the method that validation prefers) − frozen, frozen − each TF-IDF."""
    tuned = [by_name[name] for name in METHODS if name in by_name]
    couples = []
    if tuned and "frozen" in by_name:
        best = max(tuned, key=lambda answer: answer.validation)
        couples.append(("fine-tuned over frozen", best, by_name["frozen"]))
    couples += [
        (f"frozen over {name}", by_name["frozen"], by_name[name])
        for name in ("tfidf", "tfidf_svd")
        if name in by_name and "frozen" in by_name
    ]
    return [
        {
            "model": label, "selected": place == 0, "simple": False, "seconds": 0.0,
            "of": [ours.name, theirs.name],
            "metrics": {**_difference(ours, theirs, seed), **_ratio(ours, theirs, seed)},
        }
        for place, (label, ours, theirs) in enumerate(couples)
    ]  # fmt: skip


def _difference(ours: Answer, theirs: Answer, seed: int) -> dict[str, Any]:
    return {
        f"{NAMES[column]} difference": intervals.paired_difference(
            ours.values[:, column], theirs.values[:, column], seed=seed
        ).as_dict()
        for column in (0, 1)
    }


def _ratio(ours: Answer, theirs: Answer, seed: int) -> dict[str, Any]:
    found = intervals.ratio(ours.values[:, :2], theirs.values[:, :2], seed=seed)
    return {f"{NAMES[column]} ratio": found[column].as_dict() for column in (0, 1)}


def _methods(by_name: Mapping[str, Answer], tuned: Sequence[Tuned], seed: int) -> list[dict[str, Any]]:
    full = next((t for t in tuned if t.name == "full"), None)
    frozen = by_name.get("frozen")
    best = max(tuned, key=lambda t: by_name[t.name].validation)
    rows = []
    for one in tuned:
        ours = by_name[one.name].values[:, SELF]
        metrics: dict[str, Any] = {"recall@20": intervals.mean(ours[:, None], seed=seed)[0].as_dict()}
        if frozen is not None:
            base = frozen.values[:, SELF]
            metrics["gain"] = intervals.paired_difference(ours, base, seed=seed).as_dict()
            if full is not None:
                most = by_name["full"].values[:, SELF] - base
                kept = intervals.ratio((ours - base)[:, None], most[:, None], seed=seed)[0]
                # A share of a gain that may be none says nothing.
                shown = intervals.mean(most[:, None], seed=seed)[0].low > 0
                metrics["kept"] = (kept if shown else Interval(*[float("nan")] * 3)).as_dict()
        if full is not None:
            metrics["share"] = _exact(one.trained_parameters / full.trained_parameters)
        metrics |= {
            "trained parameters": _exact(one.trained_parameters), "training seconds": _exact(one.training_s),
            "peak MB above start": _exact(one.peak_mb),
        }  # fmt: skip
        rows.append(
            {"model": one.name, "selected": one is best, "simple": False, "seconds": round(one.seconds, 1),
             "metrics": {k: _plain(v) for k, v in metrics.items()}, "config": one.config}
        )  # fmt: skip
    return rows


def _exact(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value}


def _plain(found: Mapping[str, float]) -> dict[str, float | None]:
    return {key: (value if np.isfinite(value) else None) for key, value in found.items()}

"""Training time of EASE and iALS, side by side in one run with public implementations on the same data.

    pip install -e '.[benchmarks]'
    python -m benchmarks.training_speed --json benchmarks/results/training-speed.json

The data are the first-time purchases of Online Retail II (embedded) or any file of sequences (``--data``): all but
each customer's last product trains, the last one tests. Every library gets the same small grid of
regularisations and numbers of epochs; of the settings within 1 % of the library's best NDCG@10 on the products
before the last, the one with the fewest epochs is timed, the libraries in turn, so that all suffer alike from
whatever else the machine does. Seconds are medians. Quality is NDCG@10 with seen
products masked, measured on what the timed runs learned.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from storewise.core.config import Config
from storewise.core.errors import MissingExtra
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.engine import benchmark, measure, provenance
from storewise.engine.history import read_history
from storewise.engine.protocols import base
from storewise.engine.protocols.leave_last_out import LeaveLastOut
from storewise.engine.registry import registry
from storewise.metrics.intervals import Interval
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever

Scores = npt.NDArray[np.float32]
Scorer = Callable[[Histories], Scores]
UNOBSERVED = 0.1
CLOSE = 0.99  # of the best validation figure is as good


@dataclass(frozen=True)
class Setting:
    """``epochs`` is 1 for models that are solved at once."""

    regularization: float
    epochs: int = 1


ITERATED = tuple(Setting(r, e) for e in (1, 2, 3, 6, 12) for r in (0.003, 0.01, 0.03))
SOLVED = tuple(Setting(r) for r in (50.0, 150.0, 500.0))


@dataclass(frozen=True)
class Contestant:
    """``fit(data, setting)`` trains and returns how to score; ``settings`` are tried on validation."""

    model: str
    library: str
    settings: Sequence[Setting]
    fit: Callable[[Dataset, Setting], Scorer]


class Scored(Retriever[Config]):
    """A retriever made of a function."""

    Config = Config

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self._scorer = scorer

    def scores(self, histories: Histories) -> Scores:
        return self._scorer(histories)


def ours(name: str, **fixed: Any) -> Callable[[Dataset, Setting], Scorer]:
    """A registered component; ``epochs`` is set where the component has them."""

    def fit(data: Dataset, setting: Setting) -> Scorer:
        epochs = {"epochs": setting.epochs} if "epochs" in registry().get(name).Config.model_fields else {}
        model = registry().create(name, {**fixed, **epochs, "regularization": setting.regularization})
        assert isinstance(model, Retriever)
        model.train(data, rng=np.random.default_rng(0))
        return model.scores

    return fit


def by_factors(users: Any, items: Any) -> Scorer:
    """Scores of known customers from two tables of vectors."""
    left, right = np.asarray(users, np.float32), np.asarray(items, np.float32)
    return lambda histories: left[histories.customers] @ right.T


def implicit_ials(dimensions: int) -> Callable[[Dataset, Setting], Scorer]:
    """``implicit``'s ALS; its weight of an entry is 1 / UNOBSERVED of an empty cell's, as for the others."""

    def fit(data: Dataset, setting: Setting) -> Scorer:
        from implicit.cpu.als import AlternatingLeastSquares

        x = data.interactions.matrix
        mass = float(np.mean(np.diff(x.indptr))) + UNOBSERVED * x.shape[1]
        model = AlternatingLeastSquares(
            factors=dimensions,
            regularization=setting.regularization * mass / UNOBSERVED,
            alpha=1.0 / UNOBSERVED,
            iterations=setting.epochs,
            random_state=0,
        )
        with threadpool_limits(limits=1, user_api="blas"):  # as implicit asks: it has threads of its own
            model.fit(x, show_progress=False)
        return by_factors(model.user_factors, model.item_factors)

    return fit


def irspack_ials(dimensions: int) -> Callable[[Dataset, Setting], Scorer]:
    """``irspack``'s iALS of the same formulation as ours."""

    def fit(data: Dataset, setting: Setting) -> Scorer:
        from irspack import IALSRecommender

        model = IALSRecommender(
            sparse.csr_matrix(data.interactions.matrix, dtype=np.float64),
            n_components=dimensions,
            alpha0=UNOBSERVED,
            reg=setting.regularization,
            nu=1.0,
            train_epochs=setting.epochs,
        ).learn()
        return by_factors(model.get_user_embedding(), model.get_item_embedding())

    return fit


def irspack_ease(data: Dataset, setting: Setting) -> Scorer:
    """``irspack``'s EASE (DenseSLIM)."""
    from irspack import DenseSLIMRecommender

    model = DenseSLIMRecommender(
        sparse.csr_matrix(data.interactions.matrix, dtype=np.float64), reg=setting.regularization
    ).learn()
    weights = np.asarray(model.W, np.float32)
    return lambda histories: np.asarray(histories.matrix() @ weights, np.float32)


def contestants(dimensions: int) -> list[Contestant]:
    """Ours and the others, model by model.

    Raises:
        MissingExtra: when a peer is not installed.
    """
    import importlib.util

    for library in ("implicit", "irspack"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, "benchmarks")
    ials = ours("retrieve.ials.v1", embedding_size=dimensions, unobserved=UNOBSERVED)
    return [
        Contestant("EASE", "storewise", SOLVED, ours("retrieve.ease.v1")),
        Contestant("EASE", "irspack", SOLVED, irspack_ease),
        Contestant("iALS", "storewise", ITERATED, ials),
        Contestant("iALS", "irspack", ITERATED, irspack_ials(dimensions)),
        Contestant("iALS", "implicit", ITERATED, implicit_ials(dimensions)),
    ]


def embedded() -> base.Question:
    """Online Retail II: each known customer's products by first purchase."""
    shop = read_history(None).whole
    found = shop.interactions
    known = found.customers < len(shop.customer_ids)
    pairs = found.customers[known].astype(np.int64) * found.n_products + found.products[known]
    _, first = np.unique(pairs, return_index=True)
    rows = np.flatnonzero(known)[np.sort(first)]
    lines: dict[str, list[str]] = {}
    for customer, product in zip(found.customers[rows], found.products[rows], strict=True):
        lines.setdefault(str(customer), []).append(str(product))
    return LeaveLastOut().question_of(lines)


def quality(scorer: Scorer, task: Task, train: Dataset, seed: int) -> Interval:
    """NDCG@10 with its interval."""
    told = measure.answer(Scored(scorer), task, train, ("ndcg",), label="peer")
    return measure.figures([told], seed=seed)["ndcg@10"]


def compare(question: base.Question, dimensions: int, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Choose each contestant's setting, then time them in turn."""
    fold = next(question.folds())
    entered = contestants(dimensions)
    chosen = []
    for one in entered:
        values = [
            quality(one.fit(question.train, setting), question.validation, question.train, seed).value
            for setting in one.settings
        ]
        good = [s for s, v in zip(one.settings, values, strict=True) if v >= CLOSE * max(values)]
        few = [s for s in good if s.epochs == min(g.epochs for g in good)]
        chosen.append(max(few, key=lambda s: values[one.settings.index(s)]))
        print(f"{one.model} {one.library}: {chosen[-1]} of {np.round(values, 4).tolist()}")
    seconds: list[list[float]] = [[] for _ in entered]
    found: list[Interval] = []
    for turn in range(repeats):
        for place, one in enumerate(entered):
            started = time.perf_counter()
            scorer = one.fit(fold.train, chosen[place])
            seconds[place].append(time.perf_counter() - started)
            if turn == 0:
                found.append(quality(scorer, fold.test, fold.train, seed))
    ours_s = {
        one.model: float(np.median(spent))
        for one, spent in zip(entered, seconds, strict=True)
        if one.library == "storewise"
    }
    return [
        {
            "model": one.model,
            "library": one.library,
            "regularization": chosen[place].regularization,
            "epochs": chosen[place].epochs,
            "seconds": float(np.median(seconds[place])),
            "fastest": min(seconds[place]),
            "slowest": max(seconds[place]),
            "ours / theirs": ours_s[one.model] / float(np.median(seconds[place])),
            "ndcg@10": found[place].value,
            "low": found[place].low,
            "high": found[place].high,
        }
        for place, one in enumerate(entered)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a file of sequences (default: embedded data)")
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    question = (
        embedded() if options.data is None else LeaveLastOut().questions(options.data, seed=options.seed)[0]
    )
    rows = compare(question, options.dimensions, options.repeats, options.seed)
    report = {
        "benchmark": "training speed",
        "about": f"{question.data}; iALS with {options.dimensions} dimensions; "
        f"median of {options.repeats} trainings in turn",
        "command": shlex.join(["python", "-m", "benchmarks.training_speed", *sys.argv[1:]]),
        "version": provenance.version(),
        "machine": provenance.machine(),
        "rows": rows,
    }
    for row in rows:
        print(row)
    if options.json is not None:
        benchmark.write(report, options.json)


if __name__ == "__main__":
    main()

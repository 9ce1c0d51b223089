"""The further sections of ``labels``: similar products, learning from few labels, and asking for labels actively."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.engine.protocols.label_features import Features, Task
from storewise.metrics import intervals
from storewise.metrics.intervals import Interval
from storewise.understand.base import unit
from storewise.understand.labels import active, heads, semi
from storewise.understand.labels.blocks import Block, apply, fit, side_by_side
from storewise.understand.labels.neighbours import graph, spread

Classes = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]
K = 10
QUERIES = 1000  # validation products that choose the weights of blocks
ASKED = 2000  # test products at most
STEPS = 4  # weights in quarters
PER_CLASS = 5
SIZE = 256  # dimensions in which few labels are learned
SMOOTHING = 0.6  # share of the neighbours' say
ROUNDS = 10
SEEDS, VALIDATION_SEEDS = 6, 2
CHUNK = 512


def row(
    model: str, metrics: dict[str, Interval], *, selected: bool, simple: bool = False, seconds: float = 0.0,
    about: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One row of a report."""
    found = {"model": model, "selected": selected, "simple": simple, "seconds": round(seconds, 2),
             "metrics": {name: interval.as_dict() for name, interval in metrics.items()}}  # fmt: skip
    return {**found, "about": about} if about else found


# --- similar products -------------------------------------------------------------------------------------------


def similar(task: Task, features: Features, *, seed: int, progress: Progress) -> dict[str, Any]:
    """Share of the 10 nearest products that carry the product's own label, by text, by photo, by both."""
    views = {"text": features.text, "image": features.image}
    views = {name: blocks for name, blocks in views.items() if blocks}
    if len(views) == 2:
        views["both"] = [*features.text, *features.image]
    rng = spawn(seed, "labels", "similar")
    queries = rng.permutation(task.parts.validation)[:QUERIES]
    asked = rng.permutation(task.parts.test)[:ASKED]
    precision: dict[str, npt.NDArray[np.float64]] = {}
    validation: dict[str, float] = {}
    used: dict[str, str] = {}
    spent: dict[str, float] = {}
    for name, blocks in progress.track(views.items(), label="similar products", total=len(views)):
        started = time.perf_counter()
        rows = [unit(apply(block, fit(block, task.parts.known))) for block in blocks]
        grid = [w for w in itertools.product(range(STEPS + 1), repeat=len(rows)) if sum(w) == STEPS]
        found = precisions(rows, grid, queries, task.y).mean(axis=1)
        best = grid[int(found.argmax())]
        validation[name] = float(found.max())
        used[name] = " + ".join(f"{w / STEPS:g} {b.name}" for w, b in zip(best, blocks, strict=True) if w)
        precision[name] = precisions(rows, [best], asked, task.y)[0]
        spent[name] = time.perf_counter() - started
    chosen = max(validation, key=lambda name: validation[name])
    shares = np.bincount(task.y) / len(task.y)
    out = [
        row(
            "any product",
            {f"precision@{K}": mean(shares[task.y[asked]], seed)},
            selected=False,
            simple=True,
        )
    ]
    for name, values in precision.items():
        metrics = {f"precision@{K}": mean(values, seed)}
        if name == "both":
            metrics |= {
                f"above_{other}": intervals.paired_difference(values, precision[other], seed=seed)
                for other in ("text", "image")
            }
        out.append(row(name, metrics, selected=name == chosen, seconds=spent[name], about=used[name]))
    reason = (
        f"{chosen} had the best precision on validation products ({validation[chosen]:.3f}): {used[chosen]}"
    )
    return {"question": "similar products", "reason": f"{reason}.", "rows": out}


def precisions(
    rows: Sequence[Matrix], weights: Sequence[Sequence[int]], queries: Classes, y: Classes
) -> npt.NDArray[np.float64]:
    """(weights, queries): the share of the K nearest others with the query's class. Cosines are added up."""
    out = np.zeros((len(weights), len(queries)))
    for start in range(0, len(queries), CHUNK):
        asked = queries[start : start + CHUNK]
        parts = [block[asked] @ block.T for block in rows]
        for number, weight in enumerate(weights):
            likeness = np.sum(
                [np.float32(w) * part for w, part in zip(weight, parts, strict=True) if w], axis=0
            )
            likeness[np.arange(len(asked)), asked] = -np.inf
            top = np.argpartition(-likeness, K - 1, axis=1)[:, :K]
            out[number, start : start + CHUNK] = (y[top] == y[asked][:, None]).mean(axis=1)
    return out


def mean(values: npt.NDArray[np.floating], seed: int) -> Interval:
    return intervals.mean(np.asarray(values, np.float64)[:, None], seed=seed)[0]


# --- few labels -------------------------------------------------------------------------------------------------


def reduced(blocks: Sequence[Block], rows: Classes, *, seed: int) -> Matrix:
    """(n, at most SIZE): principal axes of the blocks side by side, found on ``rows`` (no labels are used)."""
    from sklearn.utils.extmath import randomized_svd

    x = side_by_side(blocks, rows)
    size = min(SIZE, x.shape[1], len(rows) - 1)
    _, _, axes = randomized_svd(
        x[rows], size, n_iter=3, random_state=int(spawn(seed, "labels", "axes").integers(2**31))
    )
    return np.asarray(x @ axes.T, np.float32)


def first_labels(task: Task, *, seed: int) -> Classes:
    """Row numbers of PER_CLASS training products of each class."""
    rng = spawn(seed, "labels", "first")
    drawn = rng.permutation(task.parts.train)
    return np.concatenate([drawn[task.y[drawn] == one][:PER_CLASS] for one in range(len(task.names))])


def few_labels(task: Task, features: Features, *, seed: int, progress: Progress) -> dict[str, Any]:
    """PER_CLASS labels a class: from them alone, with pseudo-labels, and smoothed over the graph of neighbours."""
    views = [
        reduced(blocks, task.parts.train, seed=seed) for blocks in (features.text, features.image) if blocks
    ]
    joint = (
        reduced([*features.text, *features.image], task.parts.train, seed=seed)
        if len(views) > 1
        else views[0]
    )
    asked = np.concatenate([task.parts.validation, task.parts.test])
    flow = graph(joint)  # of all products, with or without a label
    right: dict[str, list[npt.NDArray[np.bool_]]] = {}
    spent: dict[str, float] = {}
    for number in progress.track(range(SEEDS), label="few labels"):
        start = first_labels(task, seed=seed + number)
        for name, logs in _few(
            task, views, joint, flow, start, asked, seed=seed + number, spent=spent
        ).items():
            right.setdefault(name, []).append(logs.argmax(axis=1) == task.y[asked])
    shares = {name: np.mean(values, axis=0) for name, values in right.items()}
    cut = len(task.parts.validation)
    chosen = max(shares, key=lambda name: float(shares[name][:cut].mean()))
    out = []
    for name, share in shares.items():
        metrics = {"accuracy": mean(share[cut:], seed)}
        if name != "labels alone":
            metrics["above_labels_alone"] = intervals.paired_difference(
                share[cut:], shares["labels alone"][cut:], seed=seed
            )
        out.append(
            row(name, metrics, selected=name == chosen, simple=name == "labels alone", seconds=spent[name])
        )
    told = ", ".join(f"{name} {share[:cut].mean():.3f}" for name, share in shares.items())
    reason = f"Mean of {SEEDS} draws of {PER_CLASS} labels a class; validation: {told}."
    return {"question": f"{PER_CLASS} labels a class", "reason": reason, "rows": out}


def _few(
    task: Task,
    views: Sequence[Matrix],
    joint: Matrix,
    flow: Any,
    start: Classes,
    asked: Classes,
    *,
    seed: int,
    spent: dict[str, float],
) -> dict[str, Matrix]:
    y, k, train = task.y[start], len(task.names), np.sort(task.parts.train)

    def alone() -> Matrix:
        return heads.fit("ridge", joint[start], y, k, seed=seed).log_probabilities(joint[asked])

    def pseudo() -> Matrix:
        rows = [view[train] for view in views]
        taught = semi.self_train(rows, joint[train], np.searchsorted(train, start), y, k, seed=seed)
        return taught.log_probabilities(joint[asked])

    def smoothed() -> Matrix:
        head = heads.fit("ridge", joint[start], y, k, seed=seed)
        prior = np.exp(head.log_probabilities(joint))
        shares = spread(flow, start, y, k, alpha=SMOOTHING, prior=prior)
        return np.asarray(np.log(shares[asked] + 1e-9), np.float32)

    found = {}
    for name, answer in (
        ("labels alone", alone),
        ("with pseudo-labels", pseudo),
        ("smoothed over neighbours", smoothed),
    ):
        clock = time.perf_counter()
        found[name] = answer()
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - clock
    return found


# --- active learning --------------------------------------------------------------------------------------------


def actively(task: Task, features: Features, *, seed: int, progress: Progress) -> dict[str, Any] | None:
    """Labels asked for actively against random picks, from PER_CLASS a class on; None where too few products are
    there. The strategy is chosen on validation; ``label_share`` is the labels at which it reaches the accuracy
    that random picks end with, by all labels these had (1 where it does not)."""
    k = len(task.names)
    start = len(first_labels(task, seed=seed))
    batch = 2 * max(k, 10)
    rounds = min(ROUNDS, (len(task.parts.train) // 2 - start) // batch)
    if rounds < 4:
        return None
    x = reduced([*features.text, *features.image], task.parts.train, seed=seed)

    def curves(strategy: str, asked: Classes, seeds: int, salt: int) -> list[active.Curve]:
        return [
            active.run(x, task.y, k, first_labels(task, seed=seed + number + salt), task.parts.train, asked,
                       strategy=strategy, batch=batch, rounds=rounds,
                       rng=spawn(seed, "labels", strategy, number + salt))
            for number in progress.track(range(seeds), label=f"labelling by {strategy}")
        ]  # fmt: skip

    trial = {name: curves(name, task.parts.validation, VALIDATION_SEEDS, 100) for name in active.STRATEGIES}
    random = trial.pop("random")
    shares = {name: label_share(found, random) for name, found in trial.items()}
    chosen = min(shares, key=lambda name: (shares[name], -trial[name][0].accuracy[-1]))
    started = time.perf_counter()
    by_chance = curves("random", task.parts.test, SEEDS, 0)
    half = time.perf_counter() - started
    ours = curves(chosen, task.parts.test, SEEDS, 0)
    out = _active_rows(
        chosen, ours, by_chance, seconds=(half, time.perf_counter() - started - half), seed=seed
    )
    told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    reason = (
        f"{chosen} reached the accuracy of random picks with the smallest share of labels on validation ({told}); "
        f"{start:,} labels at first, {batch} a round, {by_chance[0].labels[-1]:,} in the end, {SEEDS} seeds."
    )
    return {"question": "active labelling", "reason": reason, "rows": out,
            "curves": {"labels": by_chance[0].labels.tolist(),
                       "random": _mean_curve(by_chance).round(4).tolist(),
                       chosen: _mean_curve(ours).round(4).tolist()}}  # fmt: skip


def _active_rows(
    chosen: str, ours: Sequence[active.Curve], by_chance: Sequence[active.Curve], *, seconds: tuple[float, float],
    seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    right = {
        name: np.mean([curve.right for curve in found], axis=0)
        for name, found in (("a", ours), ("r", by_chance))
    }
    rng = spawn(seed, "labels", "curves")
    drawn = []
    for _ in range(intervals.RESAMPLES):
        seeds = rng.integers(0, len(ours), len(ours))
        drawn.append(label_share([ours[i] for i in seeds], [by_chance[i] for i in seeds]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    share = Interval(label_share(ours, by_chance), float(low), float(high))
    gain = intervals.paired_difference(right["a"], right["r"], seed=seed)
    return [
        row(chosen, {"accuracy": mean(right["a"], seed), "label_share": share, "above_random": gain}, selected=True,
            seconds=seconds[1]),
        row("random", {"accuracy": mean(right["r"], seed), "label_share": Interval(1.0, 1.0, 1.0)}, selected=False,
            simple=True, seconds=seconds[0]),
    ]  # fmt: skip


def _mean_curve(found: Sequence[active.Curve]) -> npt.NDArray[np.float64]:
    return np.asarray(np.mean([curve.accuracy for curve in found], axis=0))


def label_share(ours: Sequence[active.Curve], by_chance: Sequence[active.Curve]) -> float:
    """Labels at which our mean curve reaches the end of the random one, by the labels of that end; at most 1."""
    labels = ours[0].labels
    curve = active.Curve(labels, _mean_curve(ours), np.zeros(0, bool))
    needed = curve.labels_for(float(_mean_curve(by_chance)[-1]))
    return min(1.0, needed / float(by_chance[0].labels[-1]))

"""Where to look for each retriever's hyper-parameters, and where to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from storewise.data.dataset import Dataset

if TYPE_CHECKING:
    from optuna import Trial

Values = dict[str, Any]
DAY_S = 86_400.0
PAIRS = 30_000_000
"""Pairs of entries that one trial of a neighbourhood model may count: bounds the window in long histories."""
REAL_TIME_DAYS = 10.0
"""Times that span less are taken for an order (0, 1, 2 …), not for a clock."""


def has_clock(dataset: Dataset) -> bool:
    """Whether times are seconds of a real clock."""
    at = dataset.interactions.at
    return bool(dataset.interactions.ordered and len(at) and np.ptp(at) > REAL_TIME_DAYS * DAY_S)


def has_values(dataset: Dataset) -> bool:
    """Whether some interactions weigh more than others (ratings, quantities)."""
    weight = dataset.interactions.weight
    return bool(len(weight) and np.ptp(weight) > 0)


def _recency(trial: Trial, dataset: Dataset, low: float = 1e-3) -> Values:
    """Weights of the asking history; nothing where there is no order."""
    if not dataset.interactions.ordered:
        return {}
    found: Values = {"decay": trial.suggest_float("decay", low, 2.0, log=True)}
    if has_clock(dataset) and trial.suggest_categorical("by_time", [False, True]):
        found["half_life_days"] = trial.suggest_float("half_life_days", 2.0, 730.0, log=True)
    return found


def _window(trial: Trial, dataset: Dataset) -> Values:
    """How far back to learn from; nothing where there is no clock."""
    if not has_clock(dataset):
        return {}
    days = trial.suggest_categorical("window_days", [0, 14, 30, 60, 120, 365])
    return {"window_days": days or None}


def item_knn(trial: Trial, dataset: Dataset) -> Values:
    found: Values = {
        "activity": trial.suggest_float("activity", 0.0, 1.0, step=0.1),
        "source_power": trial.suggest_float("source_power", 0.0, 1.0),
        "target_power": trial.suggest_float("target_power", 0.0, 1.0),
        "shrinkage": trial.suggest_float("shrinkage", 0.1, 100.0, log=True),
    }
    if dataset.interactions.ordered:
        found["gap"] = trial.suggest_float("gap", 0.0, 1.5, step=0.1)
        found["backward"] = trial.suggest_float("backward", 0.0, 1.0, step=0.1)
        found["window"] = int(np.clip(PAIRS // max(len(dataset.interactions), 1), 10, 100))
    return found | _recency(trial, dataset) | _window(trial, dataset)


def ials(trial: Trial, dataset: Dataset) -> Values:
    return {
        "embedding_size": trial.suggest_categorical("embedding_size", [32, 64, 128, 256]),
        "unobserved": trial.suggest_float("unobserved", 1e-3, 0.5, log=True),
        "regularization": trial.suggest_float("regularization", 5e-4, 0.1, log=True),
        "epochs": trial.suggest_int("epochs", 4, 10, step=2),
    } | _window(trial, dataset)


def ease(trial: Trial, dataset: Dataset) -> Values:
    found: Values = {
        "regularization": trial.suggest_float("regularization", 5.0, 2_000.0, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 3.0),
        "activity": trial.suggest_float("activity", 0.0, 0.8, step=0.2),
        "target_power": trial.suggest_float("target_power", 0.0, 0.4, step=0.1),
    }
    if has_clock(dataset):
        found["together"] = trial.suggest_float("together", 0.0, 1.0, step=0.1)
        found["together_s"] = trial.suggest_float("together_s", 30.0, 7 * DAY_S, log=True)
    if has_values(dataset):
        found["emphasis"] = trial.suggest_float("emphasis", 0.0, 0.3)
    return found | _recency(trial, dataset, low=1e-4) | _window(trial, dataset)


def user_knn(trial: Trial, dataset: Dataset) -> Values:
    return (
        {
            "rarity": trial.suggest_float("rarity", 0.0, 1.2),
            "activity": trial.suggest_float("activity", 0.0, 1.0),
            "target_power": trial.suggest_float("target_power", 0.0, 0.8),
            "neighbours": trial.suggest_int("neighbours", 50, 2_000, log=True),
        }
        | _recency(trial, dataset)
        | _window(trial, dataset)
    )


def bpr(trial: Trial, dataset: Dataset) -> Values:
    return {
        "embedding_size": trial.suggest_categorical("embedding_size", [32, 64, 128]),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "regularization": trial.suggest_float("regularization", 1e-3, 0.3, log=True),
        "negative_power": trial.suggest_float("negative_power", 0.0, 1.0),
        "epochs": trial.suggest_int("epochs", 5, 40, log=True),
    } | _window(trial, dataset)


def popular(trial: Trial, dataset: Dataset) -> Values:
    found: Values = {}
    if has_clock(dataset):
        found["half_life_days"] = trial.suggest_float("half_life_days", 3.0, 1_000.0, log=True)
    if "category" in dataset.products.columns:
        found["category_weight"] = trial.suggest_float("category_weight", 0.01, 100.0, log=True)
    return found


def repeat(trial: Trial, dataset: Dataset) -> Values:
    return {
        "horizon_days": trial.suggest_float("horizon_days", 3.0, 90.0, log=True),
        "prior_gaps": trial.suggest_float("prior_gaps", 0.1, 10.0, log=True),
    }


def content(trial: Trial, dataset: Dataset) -> Values:
    return {
        "temperature": trial.suggest_categorical("temperature", [None, 0.05, 0.1, 0.2]),
        "rarity": trial.suggest_float("rarity", 0.0, 1.0),
    } | _recency(trial, dataset)


def graph_filter(trial: Trial, dataset: Dataset) -> Values:
    return (
        {
            "embedding_size": trial.suggest_categorical("embedding_size", [64, 256]),
            "customer_power": trial.suggest_float("customer_power", 0.0, 1.0, step=0.25),
            "source_power": trial.suggest_float("source_power", 0.0, 1.0),
            "target_power": trial.suggest_float("target_power", 0.0, 0.8),
            "shrinkage": trial.suggest_float("shrinkage", 0.1, 100.0, log=True),
            "smooth": trial.suggest_float("smooth", 0.01, 3.0, log=True),
            "sharpness": trial.suggest_float("sharpness", 0.0, 2.0),
        }
        | _recency(trial, dataset)
        | _window(trial, dataset)
    )


def sasrec(trial: Trial, dataset: Dataset) -> Values:
    return {
        "embedding_size": trial.suggest_categorical("embedding_size", [64, 128]),
        "dropout": trial.suggest_float("dropout", 0.2, 0.6, step=0.1),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 4e-3, log=True),
        "loss": trial.suggest_categorical("loss", ["auto", "bce"]),
    } | NETWORK


def gru4rec(trial: Trial, dataset: Dataset) -> Values:
    return sasrec(trial, dataset)


def two_tower(trial: Trial, dataset: Dataset) -> Values:
    found: Values = {}
    if dataset.interactions.ordered:
        found["decay"] = trial.suggest_float("decay", 1e-3, 2.0, log=True)
    if dataset.content is not None:
        found["id_dropout"] = trial.suggest_float("id_dropout", 0.0, 0.6, step=0.1)
    return {
        "embedding_size": trial.suggest_categorical("embedding_size", [64, 128]),
        "temperature": trial.suggest_float("temperature", 0.05, 0.2, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 4e-3, log=True),
    } | found | NETWORK  # fmt: skip


def lightgcn(trial: Trial, dataset: Dataset) -> Values:
    shoppers = int(np.clip(dataset.n_customers // STEPS, 64, 1_024))
    return {
        "embedding_size": trial.suggest_categorical("embedding_size", [64, 128]),
        "layers": trial.suggest_int("layers", 1, 3),
        "temperature": trial.suggest_float("temperature", 0.05, 0.3, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "negative_power": trial.suggest_float("negative_power", 0.0, 1.0),
        "negatives": min(1_024, dataset.n_products),
        "batch_size": shoppers,
        "patience": 6,
    } | _window(trial, dataset)


STEPS = 4
"""An epoch of LightGCN is so many steps at least, each of which propagates over the whole graph."""
NETWORK: Values = {"batch_size": 128, "patience": 6}
"""Of every network's trials."""

SPACES: Mapping[str, Callable[[Trial, Dataset], Values]] = {
    "retrieve.item_knn.v1": item_knn,
    "retrieve.ials.v1": ials,
    "retrieve.content.v1": content,
    "retrieve.ease.v1": ease,
    "retrieve.user_knn.v1": user_knn,
    "retrieve.bpr.v1": bpr,
    "retrieve.popular.v1": popular,
    "retrieve.repeat.v1": repeat,
    "retrieve.graph_filter.v1": graph_filter,
    "retrieve.sasrec.v1": sasrec,
    "retrieve.gru4rec.v1": gru4rec,
    "retrieve.lightgcn.v1": lightgcn,
    "retrieve.two_tower.v1": two_tower,
}

STARTS: Mapping[str, tuple[Values, ...]] = {
    "retrieve.item_knn.v1": (
        {"activity": 0.4, "source_power": 0.6, "target_power": 0.4, "shrinkage": 10.0,
         "gap": 0.0, "backward": 1.0, "decay": 0.01, "by_time": False, "window_days": 30},
        {"activity": 0.1, "source_power": 0.8, "target_power": 0.1, "shrinkage": 20.0,
         "gap": 0.4, "backward": 0.3, "decay": 0.5, "by_time": False, "window_days": 0},
        {"activity": 0.3, "source_power": 0.85, "target_power": 0.4, "shrinkage": 20.0,
         "gap": 0.0, "backward": 1.0, "decay": 0.01, "by_time": False, "window_days": 0},
        {"activity": 0.8, "source_power": 0.9, "target_power": 0.45, "shrinkage": 10.0,
         "gap": 0.6, "backward": 0.9, "decay": 0.25, "by_time": False, "window_days": 30},
    ),
    "retrieve.ials.v1": (
        {"embedding_size": 256, "unobserved": 0.003, "regularization": 0.01, "epochs": 4, "window_days": 0},
        {"embedding_size": 64, "unobserved": 0.1, "regularization": 0.03, "epochs": 4, "window_days": 0},
        {"embedding_size": 64, "unobserved": 0.01, "regularization": 0.01, "epochs": 8, "window_days": 0},
        {"embedding_size": 64, "unobserved": 0.1, "regularization": 0.003, "epochs": 8, "window_days": 60},
        {"embedding_size": 128, "unobserved": 0.4, "regularization": 0.0015, "epochs": 8, "window_days": 30},
    ),
    "retrieve.ease.v1": (
        {"regularization": 100.0, "dropout": 0.0, "activity": 0.4, "target_power": 0.0, "together": 0.0,
         "together_s": 600.0, "emphasis": 0.0, "decay": 0.1, "by_time": False, "window_days": 30},
        {"regularization": 500.0, "dropout": 0.0, "activity": 0.0, "target_power": 0.0, "together": 0.0,
         "together_s": 600.0, "emphasis": 0.0, "decay": 0.01, "by_time": False, "window_days": 0},
        {"regularization": 50.0, "dropout": 1.0, "activity": 0.2, "target_power": 0.0, "together": 0.6,
         "together_s": 600.0, "emphasis": 0.1, "decay": 1e-4, "by_time": False, "window_days": 0},
    ),
    "retrieve.user_knn.v1": (
        {"rarity": 0.5, "activity": 0.5, "target_power": 0.2, "neighbours": 500, "decay": 0.1,
         "by_time": False, "window_days": 30},
        {"rarity": 0.3, "activity": 0.8, "target_power": 0.5, "neighbours": 1_200, "decay": 0.1,
         "by_time": False, "window_days": 14},
        {"rarity": 0.5, "activity": 0.5, "target_power": 0.2, "neighbours": 500, "decay": 0.1,
         "by_time": False, "window_days": 0},
    ),
    "retrieve.bpr.v1": (
        {"embedding_size": 64, "learning_rate": 0.05, "regularization": 0.02, "negative_power": 0.5,
         "epochs": 10, "window_days": 0},
    ),
    "retrieve.content.v1": (
        {"temperature": 0.1, "rarity": 0.25, "decay": 0.05, "by_time": False},
        {"temperature": None, "rarity": 0.25, "decay": 1e-3, "by_time": True, "half_life_days": 90.0},
    ),
    "retrieve.graph_filter.v1": (
        {"embedding_size": 64, "customer_power": 0.25, "source_power": 0.85, "target_power": 0.4,
         "shrinkage": 20.0, "smooth": 0.1, "sharpness": 0.5, "decay": 0.1, "by_time": False, "window_days": 0},
        {"embedding_size": 64, "customer_power": 0.5, "source_power": 0.5, "target_power": 0.3,
         "shrinkage": 1.0, "smooth": 0.3, "sharpness": 0.5, "decay": 0.7, "by_time": False, "window_days": 0},
        {"embedding_size": 64, "customer_power": 0.25, "source_power": 0.5, "target_power": 0.5,
         "shrinkage": 1.0, "smooth": 0.3, "sharpness": 0.5, "decay": 0.1, "by_time": False, "window_days": 0},
    ),
    "retrieve.sasrec.v1": ({"embedding_size": 64, "dropout": 0.5, "learning_rate": 2e-3, "loss": "auto"},
                             {"embedding_size": 64, "dropout": 0.4, "learning_rate": 2e-3, "loss": "bce"}),
    "retrieve.gru4rec.v1": ({"embedding_size": 64, "dropout": 0.4, "learning_rate": 2e-3, "loss": "auto"},),
    "retrieve.lightgcn.v1": (
        {"embedding_size": 128, "layers": 3, "temperature": 0.1, "learning_rate": 1e-2, "negative_power": 0.5,
         "window_days": 0},
    ),
    "retrieve.two_tower.v1": (
        {"embedding_size": 64, "temperature": 0.1, "learning_rate": 1e-3, "decay": 0.2, "id_dropout": 0.2},
    ),
    "retrieve.popular.v1": ({"half_life_days": 1_000.0, "category_weight": 0.01},),
    "retrieve.repeat.v1": ({"horizon_days": 14.0, "prior_gaps": 2.0},),
}  # fmt: skip
"""First trials, known to be good somewhere; values that a space does not ask for are ignored."""

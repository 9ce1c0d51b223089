"""Neural-linear Thompson sampling (Riquelme, Tucker & Snoek, 2018): a network's last layer, drawn from belief."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.errors import DataError, MissingExtra
from storewise.explore.base import Floats, Logged
from storewise.explore.linear_thompson import LinearThompson, LinearThompsonConfig


class NeuralLinearConfig(LinearThompsonConfig):
    """``units`` of the hidden layer; ``epochs``, ``learning_rate`` and ``batch_size`` of its training; with
    ``scale`` the untrained layer's weights are drawn."""

    units: int = Field(default=32, ge=1, le=4_096)
    epochs: int = Field(default=20, ge=1)
    learning_rate: float = Field(default=0.01, gt=0.0)
    batch_size: int = Field(default=256, ge=1)
    scale: float = Field(default=1.0, gt=0.0)


class NeuralLinear(LinearThompson[NeuralLinearConfig]):
    """Linear Thompson sampling on h(x) = relu(W x + c) / √units.

    Until :meth:`train_features` has learnt W and c from a log (extra ``deep``), they are random features drawn
    from ``seed`` (Rahimi & Recht, 2008), the same in every process. Decisions need numpy alone.

    >>> policy = NeuralLinear()
    >>> policy.transform(np.zeros((2, 3))).shape
    (2, 33)
    """

    Config = NeuralLinearConfig

    def __init__(self, config: NeuralLinearConfig | None = None) -> None:
        super().__init__(config)
        self._layer: tuple[Floats, Floats] | None = None

    def transform(self, features: Floats) -> Floats:
        weights, bias = self._layer or _random_layer(features.shape[-1], self.config)
        if weights.shape[0] != features.shape[-1]:
            raise DataError(
                f"The features have {features.shape[-1]} columns, the network reads {weights.shape[0]}.",
                next_step="Give the same features always, or start a fresh policy.",
            )
        hidden = np.maximum(features @ weights + bias, 0.0) / np.sqrt(self.config.units)
        return super().transform(hidden)

    def train_features(self, log: Logged, *, rng: np.random.Generator) -> None:
        """Learn the hidden layer on a log (squared error, one output an arm), then learn the last layer anew
        from the same log.

        Raises:
            MissingExtra: without torch.
            DataError: for an empty log.
        """
        shown = log.arms >= 0
        if not shown.any():
            raise DataError("The log has no rows.", next_step="Give decisions with features and rewards.")
        features, arms, rewards = log.features[shown], log.arms[shown], log.rewards[shown]
        self._layer = _fit(features, arms, rewards, self.config, rng)
        self._memory = None
        self._solved.clear()
        self.update(log)

    def state(self) -> Arrays:
        layer = {} if self._layer is None else {"weights": self._layer[0], "bias": self._layer[1]}
        return {**super().state(), **layer}

    def restore(self, state: Arrays) -> None:
        super().restore(state)
        self._layer = None
        if "weights" in state:
            self._layer = np.array(state["weights"], np.float64), np.array(state["bias"], np.float64)


def _random_layer(width: int, config: NeuralLinearConfig) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([config.seed, width])
    weights = config.scale * rng.standard_normal((width, config.units))
    return weights, config.scale * rng.uniform(-1, 1, config.units)


def _fit(
    features: Floats, arms: Any, rewards: Floats, config: NeuralLinearConfig, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "deep") from error
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        hidden = torch.nn.Linear(features.shape[1], config.units)
        last = torch.nn.Linear(config.units, 1 if config.shared else int(arms.max()) + 1)
        parameters = [*hidden.parameters(), *last.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=1e-5)
        x, y = (torch.as_tensor(part, dtype=torch.float32) for part in (features, rewards))
        column = torch.as_tensor(np.zeros_like(arms) if config.shared else arms)
        for _ in range(config.epochs):
            for rows in torch.split(torch.randperm(len(x)), config.batch_size):
                output = last(torch.relu(hidden(x[rows])))  # (b, arms)
                loss = ((output.gather(1, column[rows, None])[:, 0] - y[rows]) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        weights, bias = (part.detach().numpy().astype(np.float64) for part in (hidden.weight.T, hidden.bias))
    return weights, bias

"""Which parameters are trained: all, a few beside the frozen ones, or a projection behind them.

==========  ==========================================================================================
``full``    every weight
``lora``    W + (α/r) B A of rank r in query, value and the dense layers (Hu et al. 2022)
``adalora`` P Λ Q, whose rank budget moves to where it matters (Zhang et al. 2023)
``adapter`` two bottlenecks a layer, x + U gelu(D x), behind attention and feed-forward (Houlsby et al. 2019)
``head``    the encoder frozen; a projection of its vectors, trained
==========  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import ConfigError
from storewise.understand.finetune.tower import Tower, require

Method = Literal["full", "lora", "adalora", "adapter", "head"]
ATTENTION = ["query", "value"]
BEHIND = ("attention.output.dense", "output.dense")  # where a bottleneck stands in each layer
ORTHOGONAL = 0.5  # weight of AdaLoRA's regulariser, as in the paper's code
Arrays = dict[str, npt.NDArray[Any]]


class MethodConfig(Config):
    """``rank``: of LoRA, and the target of AdaLoRA (which starts at 1.5 times it). ``alpha``: LoRA's scale α.
    ``bottleneck``: width of an adapter. ``freeze_words``: full fine-tuning leaves the word embeddings alone."""

    method: Method = "full"
    rank: int = Field(default=8, ge=1, le=256)
    alpha: float = Field(default=16.0, gt=0)
    bottleneck: int = Field(default=24, ge=1, le=1024)
    freeze_words: bool = False


@dataclass
class Adapted:
    """A tower with some parameters set to train. ``after_step(step)`` follows each optimiser step;
    ``penalty()`` is added to the loss; ``state``/``restore`` hold what is not a parameter; ``merge`` gives the
    tower that is served, without the training's extras."""

    tower: Tower
    config: MethodConfig
    after_step: Callable[[int], None] = lambda step: None
    penalty: Callable[[], Any] | None = None
    state: Callable[[], tuple[Arrays, dict[str, Any]]] = lambda: ({}, {})
    restore: Callable[[Arrays, dict[str, Any]], None] = lambda arrays, facts: None
    merge: Callable[[], Tower] = field(default=lambda: None)  # type: ignore[assignment]

    def trained(self) -> dict[str, Any]:
        """Trained parameters by name."""
        found = {}
        for place, module in enumerate(self.tower.modules()):
            for name, value in module.named_parameters():
                if value.requires_grad:
                    found[f"{place}.{name}"] = value
        return found

    @property
    def n_trained(self) -> int:
        return sum(value.numel() for value in self.trained().values())


def adapt(tower: Tower, config: MethodConfig, *, steps: int, seed: int) -> Adapted:
    """Prepare a copy of ``tower`` for training ``steps`` steps. New parameters leave its vectors as they were.

    Raises:
        ConfigError: for a method that does not exist.
        MissingExtra: without torch or, for LoRA and AdaLoRA, peft.
    """
    if config.method not in METHODS:
        raise ConfigError(f"There is no method {config.method!r}.", next_step=f"Known: {', '.join(METHODS)}.")
    require("torch").manual_seed(seed)
    mine = tower.copy()
    for parameter in mine.model.parameters():
        parameter.requires_grad_(False)
    return METHODS[config.method](mine, config, steps)


def _full(tower: Tower, config: MethodConfig, steps: int) -> Adapted:
    for name, parameter in tower.model.named_parameters():
        parameter.requires_grad_(not (config.freeze_words and "word_embeddings" in name))
    return Adapted(tower, config, merge=lambda: tower)


def _lora(tower: Tower, config: MethodConfig, steps: int) -> Adapted:
    peft = require("peft")
    wanted = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, target_modules=[*ATTENTION, "dense"], lora_dropout=0.0
    )
    tower.model = peft.get_peft_model(tower.model, wanted)
    return Adapted(tower, config, merge=lambda: _merged(tower))


def _adalora(tower: Tower, config: MethodConfig, steps: int) -> Adapted:
    peft = require("peft")
    wanted = peft.AdaLoraConfig(
        init_r=max(config.rank + 1, round(1.5 * config.rank)), target_r=config.rank,
        lora_alpha=config.alpha, target_modules=[*ATTENTION, "dense"], lora_dropout=0.0,
        tinit=max(1, steps // 10), tfinal=max(1, steps // 3), deltaT=max(1, steps // 50), total_step=max(4, steps),
    )  # fmt: skip
    tower.model = peft.get_peft_model(tower.model, wanted)
    inner = tower.model.base_model
    allocator = inner.rankallocator

    def state() -> tuple[Arrays, dict[str, Any]]:
        kinds = {k: getattr(allocator, k) for k in ("ipt", "exp_avg_ipt", "exp_avg_unc")}
        arrays = {
            f"{k}:{n}": v.detach().numpy().copy() for k, table in kinds.items() for n, v in table.items()
        }
        pattern = inner.peft_config["default"].rank_pattern or {}
        return arrays, {"rank_pattern": {name: list(map(bool, kept)) for name, kept in pattern.items()}}

    def restore(arrays: Arrays, facts: dict[str, Any]) -> None:
        torch = require("torch")
        for name, value in arrays.items():
            kind, _, parameter = name.partition(":")
            getattr(allocator, kind)[parameter] = torch.from_numpy(np.array(value))
        inner.peft_config["default"].rank_pattern = facts["rank_pattern"] or {}

    def penalty() -> Any:
        """‖PᵀP − I‖ + ‖QQᵀ − I‖, averaged over the matrices."""
        torch = require("torch")
        found = []
        for name, value in tower.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                gram = value @ value.T if "lora_A" in name else value.T @ value
                found.append(torch.linalg.norm(gram - torch.eye(len(gram))))
        return ORTHOGONAL * sum(found) / len(found)

    return Adapted(tower, config, inner.update_and_allocate, penalty, state, restore, lambda: _merged(tower))


def _adapter(tower: Tower, config: MethodConfig, steps: int) -> Adapted:
    insert_adapters(tower.model, config.bottleneck)
    return Adapted(tower, config, merge=lambda: tower)


def _head(tower: Tower, config: MethodConfig, steps: int) -> Adapted:
    torch = require("torch")
    tower.head = torch.nn.Linear(tower.dimensions, tower.dimensions, bias=False)
    torch.nn.init.eye_(tower.head.weight)
    return Adapted(tower, config, merge=lambda: tower)


def insert_adapters(model: Any, bottleneck: int) -> None:
    """Put a bottleneck behind the attention and the feed-forward of each layer: y ← y + U gelu(D y + d) + u.

    U and u start at zero, so that the encoder starts as it was. Parameters: ``….dense.adapter.down.weight`` …
    """
    torch = require("torch")
    for name, module in list(model.named_modules()):
        if name.endswith(BEHIND) and not hasattr(module, "adapter"):
            size = module.out_features
            down, up = torch.nn.Linear(size, bottleneck), torch.nn.Linear(bottleneck, size)
            torch.nn.init.normal_(down.weight, std=0.02)
            for zero in (down.bias, up.weight, up.bias):
                torch.nn.init.zeros_(zero)
            module.adapter = torch.nn.ModuleDict({"down": down, "up": up})
            module.register_forward_hook(_bottleneck)


def _bottleneck(module: Any, given: Any, output: Any) -> Any:
    inner = require("torch").nn.functional.gelu(module.adapter["down"](output))
    return output + module.adapter["up"](inner)


def _merged(tower: Tower) -> Tower:
    """LoRA's and AdaLoRA's products added to the frozen matrices."""
    return Tower(
        tower.folder,
        tower.model.merge_and_unload(),
        tower.tokenizer,
        tower.head,
        tower.max_length,
        tower.bf16,
    )


METHODS: dict[str, Callable[[Tower, MethodConfig, int], Adapted]] = {
    "full": _full,
    "lora": _lora,
    "adalora": _adalora,
    "adapter": _adapter,
    "head": _head,
}

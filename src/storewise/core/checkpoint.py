"""Where a training run stands, so that a killed run goes on as if nothing had happened.

One folder with ``state.json`` and ``state.npz``: trained weights, the best ones so far, the optimiser's moments,
what the method keeps besides, and both random states, all as plain arrays. It is replaced whole by a rename.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from storewise.core.errors import ArtifactError, ConfigError
from storewise.core.folders import written_whole
from storewise.core.optional import require

FACTS, ARRAYS, FOLDER = "state.json", "state.npz", "checkpoint"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class Checkpoint:
    """``facts``: step, score history, random state of NumPy … ``arrays``: everything else."""

    facts: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)

    def part(self, prefix: str) -> Arrays:
        """The arrays under a prefix, without it."""
        return {name[len(prefix) :]: a for name, a in self.arrays.items() if name.startswith(prefix)}


def write(folder: Path, found: Checkpoint) -> None:
    """Write under ``folder``, whole or not at all: a kill leaves the one before."""
    with written_whole(folder / FOLDER) as scratch:
        with open(scratch / ARRAYS, "wb") as file:
            np.savez(file, **found.arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        facts = {**found.facts, "sha256": _sha256(scratch / ARRAYS)}
        (scratch / FACTS).write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def read(folder: Path, fingerprint: str) -> Checkpoint | None:
    """The last checkpoint, None where there is none.

    Raises:
        ConfigError: when it belongs to a run of other data or settings.
        ArtifactError: when it is damaged.
    """
    found = next((p for p in (folder / FOLDER, folder / f".{FOLDER}-before") if (p / FACTS).is_file()), None)
    if found is None:
        return None
    try:
        facts = orjson.loads((found / FACTS).read_bytes())
        whole = facts.pop("sha256") == _sha256(found / ARRAYS)
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(found, str(error)) from error
    if not whole:
        raise _damaged(found, f"{ARRAYS} does not have the SHA-256 of {FACTS}")
    if facts["fingerprint"] != fingerprint:
        raise ConfigError(
            f"The checkpoint in {folder} belongs to a run of other data or settings.",
            next_step="Use the same settings, or start anew without resuming.",
        )
    with np.load(found / ARRAYS, allow_pickle=False) as arrays:
        return Checkpoint(facts, {name: arrays[name] for name in arrays.files})


def _damaged(folder: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"The checkpoint {folder} is damaged: {what}.", next_step="Start anew without resuming."
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def optimiser_arrays(optimiser: Any, names: Mapping[int, str]) -> Arrays:
    """Moments and step counts of AdamW, by parameter name; ``names``: id of a parameter → its name."""
    found: Arrays = {}
    for parameter, state in optimiser.state.items():
        for key, value in state.items():
            found[f"{names[id(parameter)]}|{key}"] = np.array(value.detach().cpu().numpy())
    return found


def restore_optimiser(optimiser: Any, arrays: Arrays, parameters: Mapping[str, Any]) -> None:
    """The reverse of :func:`optimiser_arrays`."""
    torch = require("torch", extra="deep")
    for full, value in arrays.items():
        name, _, key = full.rpartition("|")
        found = torch.from_numpy(np.array(value))
        owner = parameters[name]
        # AdamW counts its steps on the CPU whatever the device of the weights.
        optimiser.state[owner][key] = found if key == "step" else found.to(owner.device)


def random_state(rng: np.random.Generator) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """Of NumPy (plain values; whole numbers as text, since JSON has 64 bits) and of torch (bytes)."""
    torch = require("torch", extra="deep")
    state: Any = rng.bit_generator.state
    plain = {**state, "state": {key: str(value) for key, value in state["state"].items()}}
    return plain, np.array(torch.get_rng_state().numpy())


def restore_random_state(
    rng: np.random.Generator, plain: Mapping[str, Any], bytes_of_torch: npt.NDArray[np.uint8]
) -> None:
    """The reverse of :func:`random_state`."""
    torch = require("torch", extra="deep")
    rng.bit_generator.state = {
        **plain, "state": {key: int(value) for key, value in plain["state"].items()}
    }  # fmt: skip
    torch.set_rng_state(torch.from_numpy(np.array(bytes_of_torch)))

"""Publishing is an act of its own: gates, then one rename. Rolling back is the same act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storewise.core.clock import Clock, fixed_clock, system_clock
from storewise.core.errors import NothingPublished, StateError, StorewiseError, UnknownName
from storewise.engine.published import Manifest, Pointer, point_to, read_pointer, read_snapshot, snapshots
from storewise.engine.recommend import ELIGIBILITY, Ask, Recommender
from storewise.engine.serving.live import Live
from storewise.engine.serving.snapshot import Snapshot, moment
from storewise.understand.rules import ProductFacts, check_rules

SAMPLE = 50
Load = Callable[[Manifest], Snapshot]


@dataclass(frozen=True)
class Gate:
    """One condition of publishing and how it went."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Published:
    """The pointer as it is now, and the gates that were looked at."""

    pointer: Pointer
    gates: tuple[Gate, ...]


def publish(
    root: Path, name: str | None, *, load: Load, force: bool = False, clock: Clock = system_clock
) -> Published:
    """Make a snapshot serve (default: the newest), if its gates let it through.

    ``force`` overrides the gate on quality alone: a damaged artifact or an empty list never serves.

    Raises:
        UnknownName: when there is no such snapshot.
        StateError: naming the gates that failed.
    """
    chosen = name or _newest(root)
    gates = check(root, read_snapshot(root, chosen), load)
    failed = [gate for gate in gates if not gate.passed and not (force and gate.name == "quality")]
    if failed:
        told = "; ".join(f"{gate.name}: {gate.detail}" for gate in failed)
        raise StateError(
            f"Snapshot {chosen} is not published: {told}.",
            next_step="Train again, or publish with --force if you know why the quality is so."
            if all(gate.name == "quality" for gate in failed)
            else "Train again; what serves now keeps serving.",
        )
    return Published(point_to(root, chosen, clock=clock), gates)


def rollback(root: Path, name: str | None = None, *, load: Load, clock: Clock = system_clock) -> Published:
    """Publish an earlier snapshot again (default: the one that served before), whatever its quality.

    Raises:
        StateError: when nothing served before.
    """
    pointer = read_pointer(root)
    if name is None:
        if not pointer.history:
            raise StateError(
                f"{pointer.serving} is the first snapshot that serves; there is nothing to go back to.",
                next_step="Publish another one: storewise publish SNAPSHOT.",
            )
        name = pointer.history[0]
    return publish(root, name, load=load, force=True, clock=clock)


def check(root: Path, manifest: Manifest, load: Load) -> tuple[Gate, ...]:
    """Look at all gates; a later one is skipped when it cannot be looked at."""
    try:
        snapshot = load(manifest)
    except StorewiseError as error:
        return (Gate("artifacts", False, error.problem.rstrip(".")),)
    whole = Gate("artifacts", True, f"{len(manifest.artifacts)} artifacts, every hash right")
    return (whole, _lists(snapshot), *_rules(snapshot), _quality(manifest))


def _newest(root: Path) -> str:
    found = snapshots(root)
    if not found:
        raise NothingPublished(
            f"There is no snapshot in {root}.", next_step="Train one: storewise train pipelines/home.toml."
        )
    return found[0]


def _lists(snapshot: Snapshot) -> Gate:
    """Real lists for customers from all over the index, and for somebody unknown."""
    recommend = Recommender(lambda: snapshot, live=Live(), clock=fixed_clock(moment(snapshot.watermark)))
    names = list(snapshot.customer_index)
    picked = [names[i] for i in np.linspace(0, len(names) - 1, min(SAMPLE, len(names))).astype(int)]
    for customer in [None, *picked]:
        answer = recommend(Ask(customer=customer, budget_ms=60_000.0))  # nothing is left out for time here
        who = customer or "an unknown customer"
        if not answer.items:
            return Gate("lists", False, f"the list for {who} is empty")
        if any(note.endswith("failed") for note in answer.notes) or answer.guard_rail == ELIGIBILITY:
            return Gate("lists", False, f"the list for {who} fell down the ladder: {', '.join(answer.notes)}")
    return Gate("lists", True, f"{len(picked) + 1} sample lists")


def _rules(snapshot: Snapshot) -> tuple[Gate, ...]:
    """The shop's rules do not contradict each other; nothing to say where there are none."""
    if snapshot.rules is None:
        return ()
    facts = ProductFacts.of(snapshot.catalogue.frame, snapshot.graph)
    wrong = [
        one
        for one in check_rules(snapshot.rules.rules, facts, snapshot.catalogue.active)
        if one.level == "error"
    ]
    told = "; ".join(one.text for one in wrong[:3]) or f"{len(snapshot.rules)} rules, no contradiction"
    return (Gate("rules", not wrong, told),)


def _quality(manifest: Manifest) -> Gate:
    """On validation, the chosen model is not worse than popularity."""
    report = manifest.evaluation
    key = f"{report.get('metric')}@{report.get('k')}"
    rows = report.get("rows", [])
    chosen = next((row["metrics"].get(key) for row in rows if row["selected"]), None)
    popular = next((row["metrics"].get(key) for row in rows if row["role"] == "popularity"), None)
    if chosen is None or popular is None:
        if report.get("split") is None:
            return Gate("quality", True, "too little data to compare; the fallback is popularity itself")
        return Gate("quality", False, f"the evaluation has no {key} of the chosen model and of popularity")
    told = f"{key} {chosen['value']:.4f}, popularity {popular['value']:.4f}"
    return Gate("quality", chosen["value"] >= popular["value"], told)


def find(root: Path, name: str) -> str:
    """A snapshot by name or by the unique beginning of its name.

    Raises:
        UnknownName: when none or several begin so.
    """
    found = [one for one in snapshots(root) if one.startswith(name)]
    if name in found:
        return name
    if len(found) != 1:
        raise UnknownName(
            f"{len(found)} snapshots begin with {name!r}.",
            next_step=f"Name one of: {', '.join(snapshots(root)[:5]) or 'none yet'}.",
        )
    return found[0]

"""Which variant a request gets, and what the pipeline is for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from storewise.core.config import Config, parse
from storewise.core.errors import ConfigError
from storewise.engine.experiment.config import Experiment
from storewise.engine.serving.live import customer_key, session_key

if TYPE_CHECKING:
    from storewise.engine.pipeline import Pipeline
    from storewise.engine.recommend import Ask
    from storewise.engine.serving.snapshot import Snapshot

FIXED = (
    "experiment",
    "selection",
    "retriever",
    "content",
    "attributes",
    "predict",
    "rules",
)  # what training has settled already


def effective(pipeline: Pipeline) -> dict[str, Pipeline]:
    """Variant → the pipeline with its changes; empty without an experiment.

    Raises:
        ConfigError: for a section that cannot change while serving, an unknown key or a wrong value.
    """
    experiment = pipeline.experiment
    if experiment is None:
        return {}
    return {name: _changed(pipeline, experiment, name) for name in experiment.order}


def _changed(pipeline: Pipeline, experiment: Experiment, name: str) -> Pipeline:
    parts: dict[str, Config] = {}
    for section, keys in experiment.variants[name].change.items():
        present = getattr(pipeline, section, None) if section in type(pipeline).model_fields else None
        where = f"[experiment.variants.{name}] change.{section}"
        if section == "rank" and (wrong := sorted(set(keys) - {"use"})):
            raise ConfigError(
                f"{where}.{wrong[0]}: training has settled that for all variants.",
                next_step='A variant may switch ranking off or on: change.rank.use = "never" or "always".',
            )
        if section in FIXED or not isinstance(present, Config):
            known = [
                field
                for field in type(pipeline).model_fields
                if field not in FIXED and isinstance(getattr(pipeline, field), Config)
            ]
            raise ConfigError(
                f"{where}: a variant cannot change that.", next_step=f"It may change: {', '.join(known)}."
            )
        parts[section] = parse(type(present), {**present.model_dump(), **keys}, where=where)
    return pipeline.model_copy(update=parts)


def unit_of(customer: str | None, session: str | None) -> str | None:
    """Who is assigned: the customer where known, else the session; None for nobody."""
    if customer is not None:
        return customer_key(customer)
    return session_key(session) if session is not None else None


def assigned(snapshot: Snapshot, ask: Ask) -> tuple[Snapshot, str | None]:
    """The snapshot as the asker's variant has it, and the variant's name.

    Who wants nothing known of him to be used, gave no consent or is nobody at all takes no part: he gets the
    pipeline as it is.
    """
    variants: Mapping[str, Snapshot] = snapshot.variants
    unit = unit_of(ask.customer, ask.session)
    if not variants or unit is None or not ask.personal or ask.customer in snapshot.private:
        return snapshot, None
    assert snapshot.pipeline.experiment is not None
    name = snapshot.pipeline.experiment.assignment()(unit)
    return (snapshot, None) if name is None else (variants[name], name)

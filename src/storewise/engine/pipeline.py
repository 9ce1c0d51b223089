"""The pipeline file: which components make the list of one slot, and the rules around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from storewise.core.config import Config, config_hash, parse, read_toml
from storewise.core.errors import ConfigError, UnknownName
from storewise.core.registry import Registry
from storewise.engine.content import ContentConfig
from storewise.engine.experiment.config import Experiment
from storewise.engine.experiment.variants import effective
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.stages import ExploreConfig, ObjectiveConfig, RankConfig
from storewise.recommend.eligibility import ShopperRulesConfig
from storewise.understand.rules.spec import RuleFile, read_rules

C = TypeVar("C", bound=Config)
Rung = Literal["popular_in_category", "popular"]


class Selection(Config):
    """How validation chooses among candidates.

    ``candidates``: component names, or ``auto`` for what the engine would try on these data.
    ``minutes``: time for trying, ``trials``: configs of one component at most (with time enough for all of them a run
    can be repeated exactly); ``validation_days``: length of the held-out end; ``metric`` is compared at the
    pipeline's list length.
    """

    candidates: Literal["auto"] | tuple[str, ...] = "auto"
    minutes: float = Field(default=2.0, gt=0)
    trials: int = Field(default=60, ge=1)
    validation_days: float = Field(default=28.0, gt=0)
    max_customers: int = Field(default=5_000, ge=10)
    metric: Literal["ndcg", "recall", "map", "hit"] = "ndcg"


class Policy(Config):
    """Hard rules. ``repeats``: may a product that the customer has bought appear again; ``rest_days``: a
    product bought less than this ago rests even so. ``out_of_stock``: what becomes of a product whose known
    stock is used up. ``history_length``: how many of a shopper's latest events count. ``live_share``: the part
    of the list that goes to what the last ``live_hours`` speak for alone, so that a long history does not
    drown what the shopper is after now. ``new_share``: the part that goes to new products, which fewer than
    ``new_customers`` had bought when the models were trained, chosen by a content that has at least
    ``new_similarity`` (a cosine) with the shopper's; behaviour alone would never find them."""

    repeats: Literal["allow", "hide"] = "allow"
    rest_days: float = Field(default=1.0, ge=0)
    out_of_stock: Literal["hide", "show"] = "hide"
    history_length: int = Field(default=500, ge=1)
    live_share: float = Field(default=1 / 3, ge=0, le=1)
    live_hours: float = Field(default=24.0, ge=0)
    new_share: float = Field(default=1 / 12, ge=0, le=1)
    new_customers: int = Field(default=3, ge=1)
    new_similarity: float = Field(default=0.3, ge=-1, le=1)


class Fallback(Config):
    """The rungs below the trained components, in order. ``deadline_ms``: time for one answer; a stage that would begin
    too late is left out, and the answer says so."""

    ladder: tuple[Rung, ...] = ("popular_in_category", "popular")
    deadline_ms: float = Field(default=500.0, gt=0)


class Use(Config):
    """One fixed component: ``use`` names it, ``config`` is its own."""

    use: str
    config: dict[str, Any] = Field(default_factory=dict)


class AttributesConfig(Config):
    """What reads products beside rules and lists. ``tagger``: an artifact of ``storewise tagger``, by its name in the
    shop or its folder; "none" for none. Left out, what the last ``storewise attributes`` used stays."""

    tagger: str | None = None


class Pipeline(Config):
    """A parsed pipeline file. Either ``retriever`` fixes one component or ``selection`` chooses. ``rules``: the
    content of the rule file that it names, so that a snapshot needs no file.

    >>> Pipeline(name="home").n
    12
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    slot: str = "home"
    n: int = Field(default=12, ge=1, le=100)
    selection: Selection = Selection()
    retriever: Use | None = None
    policy: Policy = Policy()
    fallback: Fallback = Fallback()
    content: ContentConfig = ContentConfig()
    predict: PredictConfig = PredictConfig()
    attributes: AttributesConfig = AttributesConfig()
    rules: RuleFile = RuleFile()
    rank: RankConfig = RankConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    eligibility: ShopperRulesConfig = ShopperRulesConfig()
    rerank: tuple[Use, ...] = ()
    explore: ExploreConfig = ExploreConfig()
    experiment: Experiment | None = None

    @property
    def hash(self) -> str:
        """Identifies the content, not the file."""
        return config_hash(self)


SECTIONS: Mapping[str, type[Config]] = {
    "selection": Selection,
    "policy": Policy,
    "fallback": Fallback,
    "retriever": Use,
    "content": ContentConfig,
    "predict": PredictConfig,
    "rank": RankConfig,
    "objective": ObjectiveConfig,
    "eligibility": ShopperRulesConfig,
    "explore": ExploreConfig,
    "experiment": Experiment,
    "attributes": AttributesConfig,
}


def read_pipeline(path: Path, registry: Registry) -> Pipeline:
    """Read and check a pipeline file.

    Raises:
        ConfigError: for an unknown key, a wrong value or an unknown component, with the line.
    """
    values = read_toml(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    sections: dict[str, Config] = {}
    for section, kind in SECTIONS.items():
        if section in values:
            part = values[section]
            if not isinstance(part, dict):
                raise ConfigError(
                    f"{path}: {section!r} is {part!r}, it must be a section.",
                    next_step=f"Write [{section}] and its keys below.",
                )
            sections[section] = _parse(kind, part, path, lines, section)
    plain = {key: value for key, value in values.items() if key not in SECTIONS}
    if "rerank" in plain:
        plain["rerank"] = _steps(plain["rerank"], path)
    if "rules" in plain:
        plain["rules"] = _rules(plain["rules"], path)
    pipeline = _parse(Pipeline, plain, path, lines, None).model_copy(update=sections)
    _check_components(pipeline, registry, path, lines)
    effective(pipeline)
    return pipeline


def _steps(given: Any, path: Path) -> Any:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ConfigError(
            f"{path}: 'rerank' is {given!r}, it must be a list of steps.",
            next_step="Write each step as [[rerank]] with use = ... and config = {...} below.",
        )
    return given


def _rules(name: Any, path: Path) -> RuleFile:
    """The rule file that a pipeline names, relative to itself."""
    if not isinstance(name, str):
        raise ConfigError(
            f"{path}: 'rules' is {name!r}, it must be a file.", next_step='Write: rules = "rules.toml".'
        )
    return read_rules(path.parent / name)


def _parse(kind: type[C], values: dict[str, Any], path: Path, lines: list[str], section: str | None) -> C:
    where = f"{path}" + (f" [{section}]" if section else "")
    try:
        return parse(kind, values, where=where)
    except ConfigError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        place = error.__cause__.errors()[0]["loc"]  # empty when keys do not fit together
        line = _line_of(str(place[0]), lines, section) if place else None
        if line is None:
            raise
        raise ConfigError(
            error.problem.replace(str(path), f"{path}, line {line}", 1), next_step=error.next_step
        ) from error.__cause__


def _line_of(key: str, lines: list[str], section: str | None) -> int | None:
    """The 1-based line where a key of a section (None: the top) stands."""
    current: str | None = None
    for number, line in enumerate(lines, start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            current = header[1]
            if section is None and key == current:
                return number
        elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None


def _check_components(pipeline: Pipeline, registry: Registry, path: Path, lines: list[str]) -> None:
    if pipeline.retriever is not None:
        _resolve(pipeline.retriever.use, registry, path, _line_of("use", lines, "retriever"))
        registry.create(pipeline.retriever.use, pipeline.retriever.config)
    _resolve(pipeline.rank.component, registry, path, _line_of("component", lines, "rank"))
    registry.create(pipeline.rank.component, pipeline.rank.config)
    for one in pipeline.rerank:
        _resolve(one.use, registry, path, _line_of("rerank", lines, None))
        registry.create(one.use, one.config)
    if pipeline.explore.use is not None:
        _resolve(pipeline.explore.use, registry, path, _line_of("use", lines, "explore"))
        registry.create(pipeline.explore.use, pipeline.explore.config)
    if pipeline.selection.candidates != "auto":
        for name in pipeline.selection.candidates:
            _resolve(name, registry, path, _line_of("candidates", lines, "selection"))


def _resolve(name: str, registry: Registry, path: Path, line: int | None) -> None:
    try:
        registry.get(name)
    except UnknownName as error:
        at = f", line {line}" if line else ""
        raise ConfigError(f"{path}{at}: {error.problem}", next_step=error.next_step) from error

"""Which tagger: the dictionary, the random field, a fine-tuned encoder or the pool, by F1 on held-out sentences.

A random sixth of the sentences (at most 1,000) is held out; parts are trained on the rest once, and exponents of
the pool and the least probability of a span are taken from a small grid there. Everything is then trained again
on all sentences (:meth:`Choice.refit`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from storewise.core.errors import ConfigError, MissingExtra, UnknownName
from storewise.core.progress import Progress, Silent
from storewise.core.rng import spawn
from storewise.data.tagged_text import TaggedSentence, label_names
from storewise.metrics.spans import Span, f1, match_counts
from storewise.understand.tagging import encoders
from storewise.understand.tagging.chain import Scores, best_spans, span_marginals
from storewise.understand.tagging.crf import Crf
from storewise.understand.tagging.longest_match import LongestMatch
from storewise.understand.tagging.neural import Neural
from storewise.understand.tagging.tagger import Tagger, TaggerConfig, pooled_transitions

DICTIONARY, CRF = "dictionary", "crf"
HELD_SHARE, MOST_HELD, MOST_FITTED, FEWEST = 6, 1000, 10_000, 12
LEAST = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5)
WEIGHTS = (0.4, 0.55, 0.75, 1.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CRF_SHARE, REST = 0.3, 0.85  # of all the time: at most for one fit of the field; for all fits together

Truth = list[tuple[Span, ...]]


@dataclass(frozen=True)
class Variant:
    """One tagger that could be chosen. ``config`` is empty for the dictionary, whose ``least_share`` is given."""

    name: str
    validation: float
    seconds: float
    config: TaggerConfig | None = None
    least_share: float = 0.0


@dataclass
class Choice:
    """The variants, best on validation first by ``selected``; ``reason`` says what validation found."""

    variants: list[Variant]
    selected: str
    reason: str
    parts_s: dict[str, float] = field(default_factory=dict)

    def refit(
        self, sentences: Sequence[TaggedSentence], *, seed: int, progress: Progress | None = None
    ) -> dict[str, LongestMatch | Tagger]:
        """Every variant trained on all sentences; parts that variants share are trained once."""
        crf: Crf | None = None
        neural: Neural | None = None
        configs = [variant.config for variant in self.variants if variant.config is not None]
        for config in configs:
            if config.crf_weight and crf is None:
                started = time.perf_counter()
                crf = Crf(l2=config.l2, iterations=config.iterations)
                crf.train(sentences, progress=progress)
                self.parts_s[CRF] = self.parts_s.get(CRF, 0.0) + time.perf_counter() - started
            if config.encoder_weight and neural is None:
                started = time.perf_counter()
                neural = _fine_tuned(sentences, config, seed, progress or Silent())
                self.parts_s["encoder"] = self.parts_s.get("encoder", 0.0) + time.perf_counter() - started
        found: dict[str, LongestMatch | Tagger] = {}
        for variant in self.variants:
            if variant.config is None:
                rule = LongestMatch(least_share=variant.least_share)
                rule.train(sentences)
                found[variant.name] = rule
            else:
                tagger = Tagger(variant.config)
                tagger.take(
                    sentences,
                    crf if variant.config.crf_weight else None,
                    neural if variant.config.encoder_weight else None,
                )
                found[variant.name] = tagger
        return found


def choose(
    sentences: Sequence[TaggedSentence],
    *,
    candidates: Sequence[str] | None = None,
    total_s: float = 1800.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Choice:
    """Compare the variants on held-out sentences.

    ``candidates``: of ``dictionary``, ``crf`` and names of encoders (or folders); None takes those that can run
    here. ``total_s``: what choosing and training again may take together; an encoder that does not fit is left
    out.

    Raises:
        UnknownName: for a candidate that does not exist or whose package is not installed.
        ConfigError: when nothing could be compared.
        MissingExtra: when a candidate that was named needs a library that is not installed.
    """
    watching = progress or Silent()
    texts = [sentence.tokens for sentence in sentences]
    names = list(candidates) if candidates is not None else [DICTIONARY, CRF, *encoders.suitable(texts)[:1]]
    fit, held = split(sentences, seed=seed)
    trial = _Trial(fit, held, total_s, len(sentences) / len(fit), seed, watching)
    variants: list[Variant] = []
    notes: list[str] = []
    parts: dict[str, _Part] = {}
    if DICTIONARY in names:
        variants.append(trial.dictionary())
    for name in names:
        if name == DICTIONARY or not label_names(fit):
            continue
        try:
            part = trial.crf() if name == CRF else trial.encoder(name, parts.get(CRF))
        except MissingExtra as error:
            if candidates is not None:
                raise
            notes.append(str(error))
            continue
        if part is None:
            notes.append(f"{name} would not fit into the time.")
            continue
        parts[name] = part
        variants.append(trial.variant([part]))
    encoder = next((part for name, part in parts.items() if name != CRF), None)
    if CRF in parts and encoder is not None:
        variants.append(trial.variant([parts[CRF], encoder]))
    if not variants:
        raise ConfigError(
            "There is no tagger to choose.", next_step="Name dictionary or crf among the models."
        )
    best = max(variants, key=lambda variant: variant.validation)
    ranked = ", ".join(f"{v.name} {v.validation:.4f}" for v in sorted(variants, key=lambda v: -v.validation))
    reason = f"F1 on {len(held):,} held-out training sentences: {ranked}."
    times = {name if name == CRF else "encoder": part.seconds for name, part in parts.items()}
    return Choice(variants, best.name, " ".join([reason, *notes]), times)


def split(
    sentences: Sequence[TaggedSentence], *, seed: int
) -> tuple[list[TaggedSentence], list[TaggedSentence]]:
    """Sentences to fit (at most 10,000) and to hold out, at random; very few sentences are both.

    >>> one = TaggedSentence(("a",), ())
    >>> [len(part) for part in split([one] * 60, seed=1)], [len(part) for part in split([one] * 3, seed=1)]
    ([50, 10], [3, 3])
    """
    if len(sentences) < FEWEST:
        return list(sentences), list(sentences)
    order = spawn(seed, "tagging", "validation").permutation(len(sentences))
    held = min(MOST_HELD, len(sentences) // HELD_SHARE)
    return (
        [sentences[i] for i in order[held : held + MOST_FITTED]],
        [sentences[i] for i in order[:held]],
    )


@dataclass(frozen=True)
class _Part:
    """A trained part's scores of the held-out sentences, and the settings it was trained with."""

    name: str
    emissions: list[Scores]
    transitions: Scores
    settings: Mapping[str, object]
    seconds: float


@dataclass(frozen=True)
class _Trial:
    fit: list[TaggedSentence]
    held: list[TaggedSentence]
    total_s: float
    growth: float  # sentences of the second fit for one of the first
    seed: int
    progress: Progress

    @property
    def truth(self) -> Truth:
        return [sentence.spans for sentence in self.held]

    def dictionary(self) -> Variant:
        started = time.perf_counter()
        rule = LongestMatch()
        rule.train(self.fit)
        scores: dict[float, float] = {}
        for share in SHARES:
            rule.least_share = share
            scores[share] = f1(match_counts(self.truth, [rule.tag(s.tokens) for s in self.held]))
        best = max(scores, key=lambda share: scores[share])
        return Variant(DICTIONARY, scores[best], time.perf_counter() - started, least_share=best)

    def crf(self) -> _Part:
        started = time.perf_counter()
        default = TaggerConfig()
        model = Crf(l2=default.l2, iterations=default.iterations)
        model.train(self.fit, progress=self.progress)
        spent = time.perf_counter() - started
        again = spent * self.growth  # on many more sentences, fewer steps
        iterations = min(
            default.iterations, max(20, int(default.iterations * CRF_SHARE * self.total_s / again))
        )
        emissions = [model.emissions(s.tokens) for s in self.held]
        settings = {"l2": model.l2, "iterations": iterations}
        return _Part(CRF, emissions, model.transitions, settings, spent)

    def encoder(self, name: str, crf: _Part | None) -> _Part | None:
        from storewise.understand.tagging.fine_tune import Settings, fine_tune

        started = time.perf_counter()
        default = TaggerConfig()
        rounds = 1 + self.growth
        budget_s = (REST * self.total_s - rounds * (crf.seconds if crf else 0.0)) / rounds
        settings = Settings(default.epochs, default.learning_rate, budget_s=max(0.0, budget_s))
        labels = label_names(self.fit)
        model = fine_tune(
            self.fit, labels, encoders.load(name), settings, seed=self.seed, progress=self.progress
        )
        if model is None:
            return None
        spent = time.perf_counter() - started
        emissions = model.emissions([s.tokens for s in self.held], progress=self.progress)
        return _Part(name, emissions, model.transitions, {"encoder": name, "epochs": model.epochs}, spent)

    def variant(self, parts: Sequence[_Part]) -> Variant:
        """The best exponents and least probability of one part or of two."""
        labels = label_names(self.fit)
        longest = max(s.end - s.start for sentence in self.fit for s in sentence.spans)
        best, found = -1.0, (WEIGHTS[0],) * len(parts)
        least = LEAST[0]
        grid = list(itertools.product(WEIGHTS, repeat=len(parts)))
        for weights in self.progress.track(grid, label="pooling"):
            transitions = pooled_transitions(
                [(w, p.transitions) for w, p in zip(weights, parts, strict=True)]
            )
            chances = [
                span_marginals(
                    np.sum([w * p.emissions[i] for w, p in zip(weights, parts, strict=True)], axis=0),
                    transitions,
                    min(longest, 40),
                )
                for i in range(len(self.held))
            ]
            for one in LEAST:
                spans = [[span for span, _ in best_spans(chance, labels, one)] for chance in chances]
                score = f1(match_counts(self.truth, spans))
                if score > best:
                    best, found, least = score, weights, one
        name = "+".join(part.name.rstrip("/").rpartition("/")[2] for part in parts)
        values: dict[str, object] = {"crf_weight": 0.0, "least": least}
        for weight, part in zip(found, parts, strict=True):
            values |= part.settings
            values["crf_weight" if part.name == CRF else "encoder_weight"] = weight
        config = TaggerConfig.model_validate(values)
        return Variant(name, best, sum(part.seconds for part in parts), config)


def _fine_tuned(
    sentences: Sequence[TaggedSentence], config: TaggerConfig, seed: int, progress: Progress
) -> Neural | None:
    from storewise.understand.tagging.fine_tune import Settings, fine_tune

    if config.encoder is None:
        raise UnknownName("The config names no encoder.", next_step="Set encoder.")
    settings = Settings(config.epochs, config.learning_rate)
    return fine_tune(
        sentences,
        label_names(sentences),
        encoders.load(config.encoder),
        settings,
        seed=seed,
        progress=progress,
    )

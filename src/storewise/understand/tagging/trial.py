"""One comparison of taggers: each part is trained once on a share of the sentences, and judged on the rest.

Exponents of the pool and the least probability of a span come from a small grid on the held-out sentences.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from storewise.core.progress import Progress
from storewise.data.tagged_text import TaggedSentence, label_names
from storewise.metrics.spans import Span, f1, match_counts
from storewise.understand.tagging import encoders
from storewise.understand.tagging.chain import Scores, best_spans, span_marginals
from storewise.understand.tagging.crf import Crf
from storewise.understand.tagging.longest_match import LongestMatch
from storewise.understand.tagging.tagger import LONGEST, TaggerConfig, pooled_transitions

DICTIONARY, CRF = "dictionary", "crf"
LEAST = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5)
WEIGHTS = (0.4, 0.55, 0.75, 1.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CRF_SHARE, REST = 0.3, 0.85  # of all the time: at most for one fit of the field; for all fits together


@dataclass(frozen=True)
class Variant:
    """One tagger that could be chosen. ``parts``: names of the parts that were trained for it. ``config`` is
    None for the dictionary, whose ``least_share`` is given. ``reliability``: of the spans found in held-out
    sentences, by label and probability to one decimal, how many were right and how many there were."""

    name: str
    validation: float
    seconds: float
    parts: tuple[str, ...] = ()
    config: TaggerConfig | None = None
    least_share: float = 0.0
    reliability: Mapping[tuple[str, float], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A trained part's scores of the held-out sentences, and the settings it was trained with."""

    name: str
    emissions: list[Scores]
    transitions: Scores
    settings: Mapping[str, object]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Sentences to fit and to hold out, and the time for both fits of everything."""

    fit: list[TaggedSentence]
    held: list[TaggedSentence]
    total_s: float
    growth: float  # sentences of the second fit for one of the first
    n_encoders: int  # that share the time
    seed: int
    progress: Progress

    @property
    def truth(self) -> list[tuple[Span, ...]]:
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

    def crf(self) -> Part:
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
        return Part(CRF, emissions, model.transitions, settings, spent)

    def encoder(self, name: str, crf: Part | None) -> Part | None:
        from storewise.understand.tagging.fine_tune import Settings, fine_tune

        started = time.perf_counter()
        default = TaggerConfig()
        rounds = 1 + self.growth
        budget_s = (REST * self.total_s - rounds * (crf.seconds if crf else 0.0)) / rounds / self.n_encoders
        settings = Settings(default.epochs, default.learning_rate, budget_s=max(0.0, budget_s))
        labels = label_names(self.fit)
        model = fine_tune(
            self.fit, labels, encoders.load(name), settings, seed=self.seed, progress=self.progress
        )
        if model is None:
            return None
        spent = time.perf_counter() - started
        emissions = model.emissions([s.tokens for s in self.held], progress=self.progress)
        return Part(name, emissions, model.transitions, {"encoder": name, "epochs": model.epochs}, spent)

    def variant(self, parts: Sequence[Part]) -> Variant:
        """The best exponents and least probability of one part or of two."""
        labels = label_names(self.fit)
        longest = max(s.end - s.start for sentence in self.fit for s in sentence.spans)
        best, found = -1.0, (WEIGHTS[0],) * len(parts)
        least = LEAST[0]
        counts: Mapping[tuple[str, float], tuple[int, int]] = {}
        grid = list(itertools.product(WEIGHTS, repeat=len(parts)))
        for weights in self.progress.track(grid, label="pooling"):
            transitions = pooled_transitions(
                [(w, p.transitions) for w, p in zip(weights, parts, strict=True)]
            )
            chances = [
                span_marginals(
                    np.sum([w * p.emissions[i] for w, p in zip(weights, parts, strict=True)], axis=0),
                    transitions,
                    min(longest, LONGEST),
                )
                for i in range(len(self.held))
            ]
            for one in LEAST:
                told = [best_spans(chance, labels, one) for chance in chances]
                score = f1(match_counts(self.truth, [[span for span, _ in spans] for spans in told]))
                if score > best:
                    best, found, least, counts = score, weights, one, reliability(self.truth, told)
        names = tuple(part.name for part in parts)
        name = "+".join(one.rstrip("/").rpartition("/")[2] for one in names)
        values: dict[str, object] = {"crf_weight": 0.0, "least": least}
        for weight, part in zip(found, parts, strict=True):
            values |= part.settings
            values["crf_weight" if part.name == CRF else "encoder_weight"] = weight
        config = TaggerConfig.model_validate(values)
        seconds = sum(part.seconds for part in parts)
        return Variant(name, best, seconds, names, config, reliability=counts)


def reliability(
    truth: Sequence[Sequence[Span]], found: Sequence[Sequence[tuple[Span, float]]]
) -> dict[tuple[str, float], tuple[int, int]]:
    """Right and all found spans, by label and probability to one decimal.

    >>> reliability([[Span(0, 1, "x")]], [[(Span(0, 1, "x"), 0.93), (Span(1, 2, "x"), 0.88)]])
    {('x', 0.9): (1, 2)}
    """
    counts: dict[tuple[str, float], tuple[int, int]] = {}
    for true, spans in zip(truth, found, strict=True):
        for span, chance in spans:
            key = (span.label, round(chance, 1))
            right, all_ = counts.get(key, (0, 0))
            counts[key] = (right + (span in true), all_ + 1)
    return counts

"""Which tagger: the dictionary, the random field, a fine-tuned encoder or the pool, by F1 on held-out sentences.

A random sixth of the sentences (at most 1,000) is held out; parts are trained on the rest once, and exponents of
the pool and the least probability of a span are taken from a small grid there. Everything is then trained again
on all sentences (:meth:`Choice.refit`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storewise.core.errors import ConfigError, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.core.rng import spawn
from storewise.data.tagged_text import TaggedSentence, label_names
from storewise.understand.tagging import encoders
from storewise.understand.tagging.crf import Crf
from storewise.understand.tagging.longest_match import LongestMatch
from storewise.understand.tagging.neural import Neural
from storewise.understand.tagging.tagger import Tagger, TaggerConfig
from storewise.understand.tagging.trial import CRF, DICTIONARY, Part, Trial, Variant

HELD_SHARE, MOST_HELD, MOST_FITTED, FEWEST = 6, 1000, 10_000, 12


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
        watching = progress or Silent()
        trained: dict[str, Crf | Neural | None] = {}
        found: dict[str, LongestMatch | Tagger] = {}
        for variant in self.variants:
            for part in variant.parts:
                if variant.config is not None and part not in trained:
                    started = time.perf_counter()
                    trained[part] = _trained(part, variant.config, sentences, seed, watching)
                    self.parts_s[part] = self.parts_s.get(part, 0.0) + time.perf_counter() - started
            found[variant.name] = _put_together(variant, trained, sentences)
        return found

    def seconds(self, variant: Variant) -> float:
        """What fitting the parts of a variant took, on validation and again."""
        return sum(self.parts_s.get(part, 0.0) for part in variant.parts)


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
    n_encoders = sum(name not in (DICTIONARY, CRF) for name in names)
    trial = Trial(fit, held, total_s, len(sentences) / len(fit), n_encoders, seed, watching)
    variants: list[Variant] = []
    notes: list[str] = []
    parts: dict[str, Part] = {}
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
    others = [variant for variant in variants if variant.config is not None and variant.config.encoder]
    if CRF in parts and others:
        encoder = max(others, key=lambda variant: variant.validation).parts[0]
        variants.append(trial.variant([parts[CRF], parts[encoder]]))
    if not variants:
        raise ConfigError(
            "There is no tagger to choose.", next_step="Name dictionary or crf among the models."
        )
    best = max(variants, key=lambda variant: variant.validation)
    ranked = ", ".join(f"{v.name} {v.validation:.4f}" for v in sorted(variants, key=lambda v: -v.validation))
    reason = f"F1 on {len(held):,} held-out training sentences: {ranked}."
    times = {name: part.seconds for name, part in parts.items()}
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


def _trained(
    part: str, config: TaggerConfig, sentences: Sequence[TaggedSentence], seed: int, progress: Progress
) -> Crf | Neural | None:
    """A part fitted to sentences, as a variant's config has it."""
    if part == CRF:
        crf = Crf(l2=config.l2, iterations=config.iterations)
        crf.train(sentences, progress=progress)
        return crf
    from storewise.understand.tagging.fine_tune import Settings, fine_tune

    settings = Settings(config.epochs, config.learning_rate)
    return fine_tune(
        sentences, label_names(sentences), encoders.load(part), settings, seed=seed, progress=progress
    )


def _put_together(
    variant: Variant, trained: Mapping[str, Crf | Neural | None], sentences: Sequence[TaggedSentence]
) -> LongestMatch | Tagger:
    if variant.config is None:
        rule = LongestMatch(least_share=variant.least_share)
        rule.train(sentences)
        return rule
    parts = [trained[part] for part in variant.parts]
    crf = next((part for part in parts if isinstance(part, Crf)), None)
    neural = next((part for part in parts if isinstance(part, Neural)), None)
    tagger = Tagger(variant.config)
    tagger.take(sentences, crf, neural)
    return tagger

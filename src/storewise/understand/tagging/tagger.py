"""The trained tagger: a conditional random field and, where there is one, a fine-tuned encoder, pooled.

Both are linear chains over the same tags. Their pool is p(y) ∝ p_crf(y)^a · p_encoder(y)^b (a logarithmic opinion
pool; Smith, Cohn and Osborne, 2005), which is a chain again: emissions and transitions are weighted sums. The
spans that are returned maximise Σ (p(span) − least) without overlap, p(span) being the exact marginal, which is
also their confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.data.tagged_text import TaggedSentence, label_names
from storewise.understand.tagging.chain import (
    FORBIDDEN,
    Scores,
    best_spans,
    span_marginals,
    tag_names,
    valid_transitions,
)
from storewise.understand.tagging.crf import Crf
from storewise.understand.tagging.features import is_character_text
from storewise.understand.tagging.neural import Neural
from storewise.understand.tagging.text_arrays import lines_of_array, lines_to_array
from storewise.understand.tagging.tokens import tokens_of

LONGEST = 40  # tokens; a longer span is never found
MOST_TOKENS = 1000  # a longer text is cut into pieces, each tagged by itself


class TaggerConfig(Config):
    """``l2``, ``iterations``: of the random field. ``encoder``: a name of ``tagging.encoders`` or a folder of a
    BERT model; None tags without one. ``crf_weight``, ``encoder_weight``: the exponents of the pool, a part with
    0 is not trained. ``least``: the probability from which a span can be worth returning."""

    l2: float = Field(default=1.0, gt=0)
    iterations: int = Field(default=60, ge=1)
    encoder: str | None = None
    epochs: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    crf_weight: float = Field(default=1.0, ge=0)
    encoder_weight: float = Field(default=0.0, ge=0)
    least: float = Field(default=0.4, ge=0, lt=1)


class Found(NamedTuple):
    """A span of tokens (or characters, see :meth:`Tagger.tag_text`) with its probability."""

    start: int
    end: int
    label: str
    confidence: float


class Tagger(Component[TaggerConfig]):
    """Finds labelled spans of tokens.

    >>> from storewise.metrics.spans import Span
    >>> shoes = [TaggedSentence((colour, "shoe"), (Span(1, 2, "type"),)) for colour in ("red", "blue", "tan")]
    >>> tagger = Tagger()
    >>> tagger.train(shoes * 4)
    >>> [(found.start, found.end, found.label) for found in tagger.tag(["green", "shoe"])]
    [(1, 2, 'type')]
    """

    Config = TaggerConfig

    def __init__(self, config: TaggerConfig | None = None) -> None:
        super().__init__(config)
        if self.config.crf_weight + self.config.encoder_weight == 0:
            raise ConfigError("Both weights are 0.", next_step="Give crf_weight or encoder_weight a value.")
        if self.config.encoder_weight and not self.config.encoder:
            raise ConfigError("encoder_weight is set without an encoder.", next_step="Name an encoder.")
        self.labels: list[str] | None = None
        self.longest = 1
        self.characters = False
        self.crf: Crf | None = None
        self.neural: Neural | None = None

    def train(
        self, sentences: Sequence[TaggedSentence], *, seed: int = 0, progress: Progress | None = None
    ) -> None:
        """Learn from sentences; without a single span in them, nothing is ever found.

        Raises:
            MissingExtra: without python-crfsuite, or with an encoder and without torch.
            UnknownName: when the encoder's package is not installed.
        """
        config = self.config
        crf = neural = None
        if config.crf_weight and label_names(sentences):
            crf = Crf(l2=config.l2, iterations=config.iterations)
            crf.train(sentences, progress=progress)
        if config.encoder_weight and label_names(sentences):
            from storewise.understand.tagging import encoders
            from storewise.understand.tagging.fine_tune import Settings, fine_tune

            settings = Settings(epochs=config.epochs, learning_rate=config.learning_rate)
            assert config.encoder is not None
            neural = fine_tune(
                sentences, label_names(sentences), encoders.load(config.encoder), settings,
                seed=seed, progress=progress,
            )  # fmt: skip
        self.take(sentences, crf, neural)

    def take(self, sentences: Sequence[TaggedSentence], crf: Crf | None, neural: Neural | None) -> None:
        """Use parts that were trained on these sentences elsewhere."""
        self.labels = label_names(sentences)
        self.characters = is_character_text([sentence.tokens for sentence in sentences])
        lengths = [span.end - span.start for sentence in sentences for span in sentence.spans]
        self.longest = min(LONGEST, max(lengths, default=1))
        self.crf, self.neural = crf, neural

    def tag(self, tokens: Sequence[str]) -> list[Found]:
        """Spans of one sentence, in order and without overlap; none for no tokens."""
        return self.tag_all([tokens])[0]

    def tag_all(
        self, sentences: Sequence[Sequence[str]], *, progress: Progress | None = None
    ) -> list[list[Found]]:
        """Spans of many sentences, each as :meth:`tag` finds them."""
        self.require(self.labels is not None)
        assert self.labels is not None
        if not self.labels:
            return [[] for _ in sentences]
        transitions = self.transitions()
        cuts = [(row, first) for row, s in enumerate(sentences) for first in range(0, len(s), MOST_TOKENS)]
        pieces = [sentences[row][first : first + MOST_TOKENS] for row, first in cuts]
        found: list[list[Found]] = [[] for _ in sentences]
        for (row, first), emissions in zip(cuts, self.emissions(pieces, progress=progress), strict=True):
            chances = span_marginals(emissions, transitions, self.longest)
            for span, chance in best_spans(chances, self.labels, self.config.least):
                found[row].append(Found(first + span.start, first + span.end, span.label, chance))
        return found

    def tag_text(self, text: str) -> list[Found]:
        """Spans of a text as places of its characters, tokens cut as in the training sentences.

        >>> Tagger().tag_text("x")
        Traceback (most recent call last):
        ...
        storewise.core.errors.StateError: Tagger has not been trained. Call train(dataset, …) or load an artifact first.
        """
        return self.tag_texts([text])[0]

    def tag_texts(self, texts: Sequence[str]) -> list[list[Found]]:
        """Spans of many texts, each as :meth:`tag_text` finds them."""
        cut = [tokens_of(text, characters=self.characters) for text in texts]
        found = self.tag_all([[token.text for token in tokens] for tokens in cut])
        return [
            [Found(tokens[a].start, tokens[z - 1].end, label, chance) for a, z, label, chance in spans]
            for tokens, spans in zip(cut, found, strict=True)
        ]

    def emissions(
        self, sentences: Sequence[Sequence[str]], *, progress: Progress | None = None
    ) -> list[Scores]:
        """(n, k) pooled scores of the tags for each sentence."""
        k = len(tag_names(self.labels or []))
        total: list[Scores] = [np.zeros((len(tokens), k)) for tokens in sentences]
        if self.crf is not None and self.config.crf_weight:
            for scores, tokens in zip(total, sentences, strict=True):
                scores += self.config.crf_weight * self.crf.emissions(tokens)
        if self.neural is not None and self.config.encoder_weight:
            found = self.neural.emissions(sentences, progress=progress)
            for scores, more in zip(total, found, strict=True):
                scores += self.config.encoder_weight * more
        return total

    def transitions(self) -> Scores:
        """(k, k) pooled scores of the transitions."""
        parts: list[tuple[float, Scores]] = []
        if self.crf is not None and self.config.crf_weight:
            parts.append((self.config.crf_weight, self.crf.transitions))
        if self.neural is not None and self.config.encoder_weight:
            parts.append((self.config.encoder_weight, self.neural.transitions))
        return pooled_transitions(parts)

    def state(self) -> Arrays:
        """Plain arrays of both parts."""
        self.require(self.labels is not None)
        crf = self.crf.state() if self.crf else {}
        neural = self.neural.state() if self.neural else {}
        return {
            "labels": lines_to_array(self.labels or []),
            "tokens": np.array([self.longest, int(self.characters)]),
            **{f"crf.{name}": value for name, value in crf.items()},
            **{f"encoder.{name}": value for name, value in neural.items()},
        }

    def restore(self, state: Arrays) -> None:
        """Take over what :meth:`state` gave."""
        self.labels = lines_of_array(state["labels"])
        self.longest, self.characters = int(state["tokens"][0]), bool(state["tokens"][1])
        parts = {
            prefix: {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}
            for prefix in ("crf.", "encoder.")
        }
        self.crf = self.neural = None
        if parts["crf."]:
            self.crf = Crf()
            self.crf.restore(parts["crf."])
        if parts["encoder."]:
            self.neural = Neural.of_state(parts["encoder."])


def pooled_transitions(parts: Sequence[tuple[float, Scores]]) -> Scores:
    """Weighted sum of transitions, what is not valid forbidden as before."""
    n_labels = (len(parts[0][1]) - 1) // 2
    allowed = valid_transitions(n_labels)
    total = np.sum([weight * part for weight, part in parts], axis=0)
    found: Scores = np.where(allowed < FORBIDDEN / 2, FORBIDDEN, total)
    return found

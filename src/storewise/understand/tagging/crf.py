"""A linear-chain conditional random field over sparse features (Lafferty, McCallum and Pereira, 2001).

The maximum-likelihood fit with a Gaussian prior is CRFsuite's (L-BFGS, Okazaki, 2007); its weights are then
taken over as plain arrays, so that tagging needs NumPy alone.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.core.errors import MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.data.tagged_text import TaggedSentence, label_names
from storewise.understand.tagging.chain import Scores, tag_names, valid_transitions
from storewise.understand.tagging.dictionary import Dictionary
from storewise.understand.tagging.dictionary_state import dictionary_of_arrays, dictionary_to_arrays
from storewise.understand.tagging.features import features_of, is_character_text
from storewise.understand.tagging.text_arrays import lines_of_array, lines_to_array

_STATE = re.compile(r"^\s*\(\d+\) (\d+) --> (\d+): (\S+)$")
_TRANSITION = re.compile(r"^\s*\(\d+\) (\d+) --> (\d+): (\S+)$")


class Crf:
    """Emissions are sums of the weights of a token's features; transitions are learned for every pair of tags."""

    def __init__(self, *, l2: float = 1.0, iterations: int = 60, least_count: int = 1) -> None:
        self.l2, self.iterations, self.least_count = l2, iterations, least_count
        self.labels: list[str] = []
        self.characters = False
        self.dictionary = Dictionary({}, {})
        self.rows: dict[str, int] = {}
        self.weights: npt.NDArray[np.float32] = np.zeros((0, 1), dtype=np.float32)
        self.transitions: Scores = np.zeros((1, 1))

    def train(self, sentences: Sequence[TaggedSentence], *, progress: Progress | None = None) -> None:
        """Fit to sentences; the dictionary's features are made with each sentence's own spans left out.

        Raises:
            MissingExtra: when python-crfsuite is not installed.
        """
        watching = progress or Silent()
        self.labels = label_names(sentences)
        self.characters = is_character_text([s.tokens for s in sentences])
        self.dictionary = Dictionary.of(sentences)
        found = [
            features_of(s.tokens, self.dictionary, characters=self.characters, own=s)
            for s in watching.track(sentences, label="features")
        ]
        counts = Counter(name for sentence in found for names in sentence for name in names)
        kept = (name for name, count in counts.items() if count >= self.least_count)
        self.rows = {name: row for row, name in enumerate(kept)}
        self._fit(sentences, found, watching)

    def _fit(
        self, sentences: Sequence[TaggedSentence], found: Sequence[list[list[str]]], progress: Progress
    ) -> None:
        try:
            import pycrfsuite
        except ImportError as error:
            raise MissingExtra("python-crfsuite", "tagging") from error
        from storewise.understand.tagging.chain import codes_of

        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        for sentence, features in zip(sentences, found, strict=True):
            if not sentence.tokens:
                continue
            rows = [[str(self.rows[name]) for name in names if name in self.rows] for names in features]
            codes = codes_of(sentence.spans, self.labels, len(sentence.tokens))
            trainer.append(rows, [str(code) for code in codes])
        trainer.set_params(
            {
                "c1": 0.0,
                "c2": self.l2,
                "max_iterations": self.iterations,
                "feature.possible_transitions": True,
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            model, dump = Path(folder) / "model", Path(folder) / "dump"
            for _ in progress.track([None], label="conditional random field", total=1):
                trainer.train(str(model))
            tagger = pycrfsuite.Tagger()
            tagger.open(str(model))
            tagger.dump(str(dump))
            tagger.close()
            self._take_over(dump)

    def _take_over(self, dump: Path) -> None:
        """Read the weights from CRFsuite's text form."""
        k = len(tag_names(self.labels))
        self.weights = np.zeros((len(self.rows), k), dtype=np.float32)
        self.transitions = valid_transitions(len(self.labels))
        section = ""
        with open(dump, encoding="utf-8") as lines:
            for line in lines:
                if line[:1].isalpha() or line[:1] == "_":
                    section = line.split(" ", 1)[0]
                elif section == "TRANSITIONS" and (found := _TRANSITION.match(line)):
                    before, after = int(found[1]), int(found[2])
                    self.transitions[before, after] += float(found[3])
                elif section == "STATE_FEATURES" and (found := _STATE.match(line)):
                    self.weights[int(found[1]), int(found[2])] = float(found[3])

    def emissions(self, tokens: Sequence[str], *, own: TaggedSentence | None = None) -> Scores:
        """(n, k) scores of the tags of :func:`tag_names` at each token."""
        features = features_of(tokens, self.dictionary, characters=self.characters, own=own)
        found = np.zeros((len(tokens), self.weights.shape[1]))
        for position, names in enumerate(features):
            rows = [row for name in names if (row := self.rows.get(name)) is not None]
            found[position] = self.weights[rows].sum(axis=0)
        return found

    def state(self) -> Arrays:
        """Plain arrays: feature names, weights, transitions, labels and the dictionary."""
        used = np.flatnonzero(np.abs(self.weights).max(axis=1, initial=0) > 0)
        names = list(self.rows)
        return {
            "labels": lines_to_array(self.labels),
            "features": lines_to_array([names[row] for row in used]),
            "weights": self.weights[used],
            "transitions": self.transitions,
            "characters": np.array([self.characters]),
            **dictionary_to_arrays(self.dictionary),
        }

    def restore(self, state: Arrays) -> None:
        """Take over what :meth:`state` gave."""
        self.labels = lines_of_array(state["labels"])
        self.rows = {name: row for row, name in enumerate(lines_of_array(state["features"]))}
        self.weights = state["weights"]
        self.transitions = state["transitions"]
        self.characters = bool(state["characters"][0])
        self.dictionary = dictionary_of_arrays(state)

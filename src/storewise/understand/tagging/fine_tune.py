"""Fine-tuning a pretrained encoder to tag tokens, with the likelihood of a linear chain as the loss.

All of the encoder but its table of words is trained by AdamW with a linear warm-up and decay; the forward pass
runs in bfloat16 where the processor has it. Sentences of similar length share a batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.core.rng import spawn
from storewise.data.tagged_text import TaggedSentence
from storewise.understand.tagging.chain import FORBIDDEN, codes_of, starts, tag_names, valid_transitions
from storewise.understand.tagging.neural import WORDS, Neural
from storewise.understand.tagging.pieces import Pieces, padded
from storewise.understand.text.packaged import Parts

HEAD_RATE, WARM_UP, CLIP, BUCKET = 2e-3, 0.1, 1.0, 20
TIMED_STEPS = 4


@dataclass(frozen=True)
class Settings:
    """``learning_rate`` of the encoder; the head's is fixed. ``budget_s`` shortens the run to fewer epochs."""

    epochs: int = 5
    learning_rate: float = 2e-4
    batch_size: int = 32
    dropout: float = 0.1
    budget_s: float = math.inf


@dataclass(frozen=True)
class Chunk:
    """A sentence or a part of one: ids of pieces, place of each token's first piece, tag numbers."""

    ids: list[int]
    places: list[int]
    codes: npt.NDArray[np.int64]


def fine_tune(
    sentences: Sequence[TaggedSentence],
    labels: Sequence[str],
    encoder: Parts,
    settings: Settings,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Neural | None:
    """A tagger of ``labels``; None where ``settings.budget_s`` does not allow a single epoch.

    Raises:
        MissingExtra: without torch or transformers.
    """
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtra("torch and transformers", "finetune") from error
    shape, weights, tokenizer = encoder
    chunks = list(_chunks(sentences, labels, Pieces(tokenizer)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(spawn(seed, "fine_tune").integers(2**31)))
        network = _network(encoder, len(tag_names(labels)), settings.dropout)
        epochs = _affordable(network, chunks, settings)
        if not epochs:
            return None
        _train(network, chunks, settings, epochs, spawn(seed, "batches"), progress or Silent())
    bert = {name: value.detach().numpy().copy() for name, value in network["bert"].state_dict().items()}
    kept = {name: value for name, value in bert.items() if name in weights}
    kept[WORDS] = kept[WORDS].astype(np.float16)
    head = np.concatenate(
        [network["head"].weight.detach().numpy(), network["head"].bias.detach().numpy()[:, None]], axis=1
    )
    learned = network["transitions"].weight.detach().numpy().astype(np.float64)
    return Neural(shape, kept, tokenizer, head, learned + valid_transitions(len(labels)), epochs)


def _chunks(sentences: Sequence[TaggedSentence], labels: Sequence[str], pieces: Pieces) -> Iterator[Chunk]:
    for sentence in sentences:
        codes = codes_of(sentence.spans, labels, len(sentence.tokens))
        done = 0
        for ids, places in pieces.chunks(sentence.tokens):
            yield Chunk(ids, places, codes[done : done + len(places)])
            done += len(places)


def _network(encoder: Parts, n_tags: int, dropout: float) -> Any:
    """The encoder, the head and the transitions as one module."""
    import torch
    from transformers import BertConfig, BertModel

    shape, weights, _ = encoder
    words = weights[WORDS].astype(np.float16).astype(np.float32)  # as it will be kept
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=len(weights["encoder.layer.0.intermediate.dense.weight"]),
        max_position_embeddings=len(weights["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(weights["embeddings.token_type_embeddings.weight"]),
        layer_norm_eps=shape.epsilon,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=None,
    )
    bert = BertModel(config, add_pooling_layer=False)
    tensors = {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in weights.items()}
    tensors[WORDS] = torch.from_numpy(words)
    known = bert.state_dict().keys()
    bert.load_state_dict({name: value for name, value in tensors.items() if name in known}, strict=False)
    bert.embeddings.word_embeddings.weight.requires_grad_(False)
    transitions = torch.nn.Linear(n_tags, n_tags, bias=False)
    torch.nn.init.zeros_(transitions.weight)
    parts = {
        "bert": bert,
        "dropout": torch.nn.Dropout(dropout),
        "head": torch.nn.Linear(shape.hidden, n_tags),
        "transitions": transitions,
    }
    return torch.nn.ModuleDict(parts)


def _train(
    network: Any,
    chunks: Sequence[Chunk],
    settings: Settings,
    epochs: int,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    import torch

    steps = epochs * math.ceil(len(chunks) / settings.batch_size)
    body = [p for p in network["bert"].parameters() if p.requires_grad]
    head = [*network["head"].parameters(), *network["transitions"].parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": settings.learning_rate}, {"params": head, "lr": HEAD_RATE}], weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (WARM_UP * steps), (steps - step) / ((1 - WARM_UP) * steps))
    )
    network.train()
    batches = (batch for _ in range(epochs) for batch in _batches(chunks, settings.batch_size, rng))
    for batch in progress.track(batches, label="fine-tuning the encoder", total=steps):
        loss = _loss(network, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body + head, CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    network.eval()


def _batches(chunks: Sequence[Chunk], size: int, rng: np.random.Generator) -> Iterator[list[Chunk]]:
    """Random batches of similar length: shuffled, sorted within buckets of 20 batches, shuffled again."""
    order = rng.permutation(len(chunks))
    cut: list[list[Chunk]] = []
    for first in range(0, len(order), size * BUCKET):
        bucket = sorted(order[first : first + size * BUCKET], key=lambda i: len(chunks[i].ids))
        cut += [[chunks[i] for i in bucket[k : k + size]] for k in range(0, len(bucket), size)]
    for number in rng.permutation(len(cut)):
        yield cut[number]


def _loss(network: Any, batch: Sequence[Chunk]) -> Any:
    """Mean negative log-likelihood of a batch's tag sequences."""
    import torch

    ids, mask = padded([chunk.ids for chunk in batch])
    places, real = padded([chunk.places for chunk in batch])
    codes, _ = padded([chunk.codes.tolist() for chunk in batch])
    with torch.autocast("cpu", torch.bfloat16, enabled=_has_bfloat16()):
        states = network["bert"](
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask.astype(np.int64))
        ).last_hidden_state
        rows = torch.arange(len(batch))[:, None]
        emissions = network["head"](network["dropout"](states[rows, torch.from_numpy(places)]))
    transitions = network["transitions"].weight
    return chain_loss(emissions.float(), transitions, torch.from_numpy(codes), torch.from_numpy(real))


def chain_loss(emissions: Any, transitions: Any, codes: Any, real: Any) -> Any:
    """−log p of tag numbers ``codes`` (batch, n) under a chain, mean over the batch; ``real`` masks padding,
    transitions that are not valid are forbidden."""
    import torch

    n_labels = (emissions.shape[2] - 1) // 2
    allowed = torch.from_numpy(valid_transitions(n_labels)).float()
    moves = torch.where(allowed < FORBIDDEN / 2, allowed, transitions)
    score = emissions[:, 0] + torch.from_numpy(starts(n_labels)).float()
    gold = emissions[:, 0].gather(1, codes[:, :1])[:, 0]
    for i in range(1, emissions.shape[1]):
        on = real[:, i]
        step = torch.logsumexp(score[:, :, None] + moves[None], 1) + emissions[:, i]
        score = torch.where(on[:, None], step, score)
        own = emissions[:, i].gather(1, codes[:, i : i + 1])[:, 0] + moves[codes[:, i - 1], codes[:, i]]
        gold = gold + torch.where(on, own, torch.zeros_like(own))
    return (torch.logsumexp(score, 1) - gold).mean()


def _affordable(network: Any, chunks: Sequence[Chunk], settings: Settings) -> int:
    """How many epochs the budget allows, by the time of a few steps that change nothing."""
    if settings.budget_s == math.inf or not chunks:
        return settings.epochs if chunks else 0
    middle = sorted(chunks, key=lambda chunk: len(chunk.ids))[len(chunks) // 2]
    spent = []
    for _ in range(TIMED_STEPS):
        started = time.perf_counter()
        _loss(network, [middle] * min(settings.batch_size, len(chunks))).backward()
        spent.append(time.perf_counter() - started)
        network.zero_grad()
    epoch_s = 1.2 * float(np.median(spent)) * math.ceil(len(chunks) / settings.batch_size)
    return int(min(settings.epochs, settings.budget_s // epoch_s))


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (elsewhere it is slower than float32)."""
    import torch

    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(capable and capable())

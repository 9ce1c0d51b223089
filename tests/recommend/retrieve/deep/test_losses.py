"""The softmax losses against torch's own cross-entropy, and the sampled one against the whole sum."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra deep")

from storewise.recommend.retrieve.deep import losses  # noqa: E402
from storewise.recommend.retrieve.deep.next_product import draw, not_seen  # noqa: E402
from storewise.recommend.retrieve.deep.sequences import seen_before  # noqa: E402

M, N, D = 17, 11, 5


@pytest.fixture
def example():
    generator = torch.Generator().manual_seed(0)
    hidden, products = (torch.randn(k, D, generator=generator).requires_grad_() for k in (M, N))
    repeat = torch.tensor([0.7], requires_grad=True)
    targets = torch.randint(N, (M,), generator=generator)
    inputs = torch.randint(N, (1, M), generator=generator).numpy()
    seen = tuple(torch.from_numpy(part) for part in seen_before(inputs, N))
    return hidden, products, targets, repeat, seen


def logits_of(hidden, products, repeat, seen):
    mask = torch.zeros(M, N)
    mask[seen] = 1.0
    return hidden @ products.T + repeat * mask


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("block", [1, 3 * N, 10_000])
def test_full_softmax_is_cross_entropy(example, smoothing, block, monkeypatch):
    monkeypatch.setattr(losses, "BLOCK_CELLS", block)
    hidden, products, targets, repeat, seen = example
    ours = losses.full_softmax(hidden, products, targets, repeat, seen, label_smoothing=smoothing)
    found = torch.autograd.grad(3 * ours, (hidden, products, repeat))
    theirs = torch.nn.functional.cross_entropy(
        logits_of(hidden, products, repeat, seen), targets, label_smoothing=smoothing
    )
    wanted = torch.autograd.grad(3 * theirs, (hidden, products, repeat))
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-5)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def sampled(example, size, power, seed):
    hidden, products, targets, repeat, seen = example
    counts = np.arange(1, N + 1)
    sample, offset = draw(counts, size, power, np.random.default_rng(seed))
    place = np.full(N, -1)
    place[sample] = np.arange(len(sample))
    return losses.sampled_softmax(
        hidden, products, targets, repeat, seen,
        sample=torch.from_numpy(sample), offset=torch.from_numpy(offset), place=torch.from_numpy(place),
    )  # fmt: skip


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_large_sample_is_the_whole_sum(example, power):
    hidden, products, targets, repeat, seen = example
    whole = torch.nn.functional.cross_entropy(logits_of(hidden, products, repeat, seen), targets)
    found = sampled(example, 400_000, power, 0)
    assert float(found.detach()) == pytest.approx(float(whole.detach()), rel=0.01)


def test_the_sum_over_a_sample_is_unbiased(example):
    """exp(loss + l_y) is the estimate of the partition function of one row: its mean is the whole sum."""
    hidden, products, targets, repeat, seen = (part for part in example)
    with torch.no_grad():
        told = logits_of(hidden, products, repeat, seen)
        one = (hidden[:1], products, targets[:1], repeat, tuple(p[seen[0] == 0] for p in seen))
        found = [float(torch.exp(sampled(one, 6, 0.5, seed) + told[0, targets[0]])) for seed in range(4_000)]
        wanted = float(torch.exp(told[0]).sum())
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - wanted) < 4 * error
    assert error < 0.05 * wanted


def test_one_negative_is_binary_cross_entropy(example):
    hidden, products, targets, repeat, seen = example
    logits = logits_of(hidden, products, repeat, seen)
    negatives = torch.from_numpy(
        not_seen(targets.numpy(), tuple(part.numpy() for part in seen), N, np.random.default_rng(0))
    )
    ours = losses.one_negative(hidden, products, targets, repeat, seen, negatives=negatives)
    every = torch.arange(M)
    f = torch.nn.functional.binary_cross_entropy_with_logits
    wanted, other = logits[every, targets], (hidden @ products.T)[every, negatives]
    theirs = f(wanted, torch.ones(M)) + f(other, torch.zeros(M))
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-5)


def test_negatives_are_neither_target_nor_seen_and_uniform_among_the_rest():
    seen = np.repeat(np.arange(20_000), 2), np.tile([1, 2], 20_000)
    found = not_seen(np.zeros(20_000, np.int64), seen, 6, np.random.default_rng(0), tries=60)
    share = np.bincount(found, minlength=6) / len(found)
    assert share[:3].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(share[3:], 1 / 3, atol=0.02)


def test_where_everything_is_seen_a_negative_is_drawn_all_the_same():
    seen = np.repeat(0, 3), np.arange(3)
    assert not_seen(np.array([0]), seen, 3, np.random.default_rng(0))[0] in range(3)

"""Losses against slow references, and what must never be a negative."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.understand.finetune.contrastive import Contrastive, ContrastiveConfig, info_nce
from storewise.understand.finetune.negatives import masked_columns, mine, text_numbers
from storewise.understand.finetune.pairs import Pairs
from storewise.understand.finetune.self_supervised import MaskedLanguage, SimCse
from storewise.understand.finetune.tower import Tower

TEXTS = ["red cup", "blue cup", "red mug", "garden chair", "lamp", "Red  Cup"]


def pairs_of(*couples: tuple[int, int], n: int = len(TEXTS)) -> Pairs:
    left, right = np.array(couples).T
    seen = sparse.csr_matrix((np.ones(len(left)), (left, right)), shape=(n, n))
    return Pairs(left, right, np.ones(len(left)), (seen + seen.T).tocsr())


def test_info_nce_is_the_formula() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra finetune")
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    masked = np.zeros((3, 5), bool)
    masked[0, 4] = masked[2, 0] = True
    terms = []
    for i in range(3):
        e = [np.exp(rows[i] @ columns[c] / 0.7) for c in range(5) if not masked[i, c]]
        terms.append(-np.log(np.exp(rows[i] @ columns[i] / 0.7) / sum(e)))
    found = info_nce(torch.from_numpy(rows), torch.from_numpy(columns), masked, 0.7)
    assert float(found) == pytest.approx(np.mean(terms))


def test_false_negatives_are_masked() -> None:
    pairs = pairs_of((0, 1), (2, 3), (0, 3))
    rows, wanted = np.array([0, 2]), np.array([1, 3])
    columns = np.array([1, 3, 4, 5, 1])
    found = masked_columns(rows, wanted, columns, pairs.observed, text_numbers(TEXTS))
    # Row 0 (with 1): 3 was seen with 0; 5 has the text of 0; the second 1 is its own positive again.
    assert found[0].tolist() == [False, True, False, True, True]
    # Row 2 (with 3): its own column 1 stays, nothing else is related.
    assert found[1].tolist() == [False, False, False, False, False]


def test_mined_negatives_are_near_and_never_observed() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 8)).astype(np.float32)
    pairs, text_of = pairs_of((0, 1), (2, 3)), text_numbers(TEXTS)
    used = np.arange(6)
    found = mine(vectors, used, pairs, text_of, 2)
    for row in used:
        others = [o for o in used if not pairs.observed[row, o] and text_of[o] != text_of[row]]
        others.sort(key=lambda o: -float(vectors[row] @ vectors[o]))
        assert found[row].tolist() == others[:2]


def test_contrastive_training_brings_pairs_together(tower: Tower) -> None:
    import torch

    objective = Contrastive(
        TEXTS, pairs_of((0, 3), (2, 4)), ContrastiveConfig(batch_size=8, hard_negatives=1)
    )
    objective.refresh(tower, 0)
    before = tower.encode(TEXTS)
    optimiser = torch.optim.AdamW(tower.model.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        objective.loss(tower, rng).backward()
        optimiser.step()
        optimiser.zero_grad()
    after = tower.encode(TEXTS)
    assert after[0] @ after[3] - after[0] @ after[4] > before[0] @ before[3] - before[0] @ before[4]
    assert after[2] @ after[4] > 0.9


def test_the_anchor_is_zero_at_the_start(tower: Tower) -> None:
    tower.train(False)
    plain = Contrastive(TEXTS, pairs_of((0, 3), (2, 4)), ContrastiveConfig(batch_size=8))
    held = Contrastive(TEXTS, pairs_of((0, 3), (2, 4)), ContrastiveConfig(batch_size=8, anchor=5.0))
    losses = []
    for objective in (plain, held):
        objective.refresh(tower, 0)
        losses.append(float(objective.loss(tower, np.random.default_rng(0)).detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_simcse_leaves_twins_and_empty_texts_out(tower: Tower) -> None:
    objective = SimCse([*TEXTS, ""])
    objective.refresh(tower, 0)
    tower.train(False)  # without dropout a text meets itself: the loss has a closed form
    z = tower.encode(["red cup", "blue cup", "red mug", "garden chair", "lamp"])
    logits = z @ z.T / 0.05
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits))
    assert float(objective.loss(tower, np.random.default_rng(0)).detach()) == pytest.approx(
        expected, rel=1e-4
    )


def test_masked_language_learns_the_texts(tower: Tower) -> None:
    import torch

    objective = MaskedLanguage(TEXTS * 4, batch_size=24)
    objective.refresh(tower, 0)
    parameters = [*tower.model.parameters(), *objective.extra().values()]
    optimiser = torch.optim.AdamW(parameters, lr=5e-3)
    rng, losses = np.random.default_rng(0), []
    for _ in range(40):
        loss = objective.loss(tower, rng)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize("centred", [False, True])
def test_all_positives_is_the_formula(tower: Tower, centred: bool) -> None:
    tower.train(False)
    pairs = pairs_of((0, 1), (0, 3), (2, 4))
    pairs.weight[:] = [1.0, 3.0, 2.0]
    config = ContrastiveConfig(batch_size=6, temperature=0.3, positives="all", centred=centred)
    objective = Contrastive(TEXTS, pairs, config)
    objective.refresh(tower, 0)
    u = tower.encode(TEXTS[:5]).astype(float)  # "Red  Cup" is in no pair
    if centred:
        u -= u.mean(axis=0)
        u /= np.linalg.norm(u, axis=1, keepdims=True)
    weight = np.zeros((5, 5))
    for a, b, w in ((0, 1, 1.0), (0, 3, 3.0), (2, 4, 2.0)):
        weight[a, b] = weight[b, a] = w
    logits = u @ u.T / 0.3
    terms = [
        -sum(weight[i, j] / weight[i].sum() * (logits[i, j] - np.log(sum(np.exp(logits[i, k]) for k in range(5) if k != i)))
             for j in range(5))
        for i in range(5)
    ]  # fmt: skip
    found = float(objective.loss(tower, np.random.default_rng(0)).detach())
    assert found == pytest.approx(np.mean(terms), rel=1e-4)

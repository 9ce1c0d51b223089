"""Softmax cross-entropy over products: over all of them, or over a sample with log-Q correction.

With hidden states h (m, d), product vectors E (n, d), targets y (m,), and r the log odds of a repeat:

    l_ij = h_i·E_j + r·[j in the history of i]
    full     L_i = log Σ_j exp l_ij - (1 - ε) l_iy - ε mean_j l_ij
    sampled  L_i = log(exp l_iy + Σ_{j in S, j ≠ y} c_j exp(l_ij) / (|S| q_j)) - l_iy
    bce      L_i = log(1 + exp -l_iy) + log(1 + exp l_ij), one j a row, not in its history

S is drawn with replacement from q, c_j says how often j came. Adding log c_j - log(|S| q_j) to a logit is the
log-Q correction (Bengio & Senécal 2008; Yi et al. 2019): the sum is then an unbiased estimate of the whole.
The target was not drawn and is not corrected (Khrylchenko et al. 2025).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from storewise.recommend.retrieve.deep.training import load_torch

BLOCK_CELLS = 1_000_000
"""Logits in memory at a time: rows are taken in blocks, so that memory does not grow with the batch."""

Seen = tuple[Any, Any]
"""(rows, columns) of each different product in each row's history, int64 tensors, sorted by row."""


def full_softmax(
    hidden: Any, products: Any, targets: Any, repeat: Any, seen: Seen, *, label_smoothing: float = 0.0
) -> Any:
    """Mean loss of the rows, a scalar tensor. ``repeat``: a tensor of one number."""
    return _full().apply(hidden, products, targets, repeat, seen[0], seen[1], label_smoothing)


@cache
def _full() -> Any:
    """The loss whose gradient is made along with it: the logits are written once and never kept."""
    torch = load_torch()

    class Full(torch.autograd.Function):  # type: ignore[name-defined, misc]
        @staticmethod
        def forward(ctx: Any, hidden: Any, products: Any, targets: Any, repeat: Any,
                    rows: Any, columns: Any, smoothing: float) -> Any:  # fmt: skip
            m, n = len(hidden), len(products)
            size = max(1, BLOCK_CELLS // n)
            d_hidden, d_products = torch.empty_like(hidden), torch.zeros_like(products)
            d_repeat, total = torch.zeros_like(repeat), hidden.new_zeros(())
            borders = torch.searchsorted(rows, torch.arange(0, m + size, size, device=rows.device))
            for block, start in enumerate(range(0, m, size)):
                h, y = hidden[start : start + size], targets[start : start + size]
                mine = slice(int(borders[block]), int(borders[block + 1]))
                i, j, every = rows[mine] - start, columns[mine], torch.arange(len(h), device=rows.device)
                logits = h @ products.T
                logits[i, j] += repeat
                wanted = logits[every, y]
                mean = logits.mean(dim=1) if smoothing else wanted
                top = logits.amax(dim=1, keepdim=True)
                logits.sub_(top).exp_()
                mass = logits.sum(dim=1, keepdim=True)
                total += (mass.log() + top).sum() - ((1 - smoothing) * wanted + smoothing * mean).sum()
                logits.div_(mass)
                if smoothing:
                    logits.sub_(smoothing / n)
                logits[every, y] -= 1 - smoothing
                d_repeat += logits[i, j].sum()
                torch.mm(logits, products, out=d_hidden[start : start + size])
                d_products.addmm_(logits.T, h)
            ctx.save_for_backward(d_hidden / m, d_products / m, d_repeat / m)
            return total / m

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            d_hidden, d_products, d_repeat = ctx.saved_tensors
            return grad * d_hidden, grad * d_products, None, grad * d_repeat, None, None, None

    return Full


def sampled_softmax(
    hidden: Any, products: Any, targets: Any, repeat: Any, seen: Seen,
    *, sample: Any, offset: Any, place: Any,
) -> Any:  # fmt: skip
    """Mean loss of the rows over the products of ``sample`` (s,), each once.

    ``offset`` (s,): log c_j - log(|S| q_j). ``place`` (n,): where a product stands in the sample, -1 if not.
    """
    torch = load_torch()
    rows, columns = seen
    wanted = (hidden * products[targets]).sum(dim=1)
    again = torch.zeros_like(wanted)
    again[rows[columns == targets[rows]]] = 1.0
    wanted = wanted + repeat * again
    logits = hidden @ products[sample].T + offset
    inside = place[columns] >= 0
    seen_here = torch.zeros_like(logits)
    seen_here[rows[inside], place[columns[inside]]] = 1.0
    logits = logits + repeat * seen_here
    own = place[targets] >= 0
    mask = torch.zeros_like(logits, dtype=torch.bool)
    mask[torch.nonzero(own)[:, 0], place[targets[own]]] = True
    logits = logits.masked_fill(mask, float("-inf"))
    return (torch.logsumexp(torch.cat([wanted[:, None], logits], dim=1), dim=1) - wanted).mean()


def one_negative(hidden: Any, products: Any, targets: Any, repeat: Any, seen: Seen, *, negatives: Any) -> Any:
    """Binary cross-entropy of each row's target and of one other product, ``negatives`` (m,): SASRec as it was
    published (Kang & McAuley 2018)."""
    f = load_torch().nn.functional
    rows, columns = seen
    again = hidden.new_zeros(len(hidden))
    again[rows[columns == targets[rows]]] = 1.0
    wanted = (hidden * products[targets]).sum(dim=1) + repeat * again
    other = (hidden * products[negatives]).sum(dim=1)
    return (f.softplus(-wanted) + f.softplus(other)).mean()

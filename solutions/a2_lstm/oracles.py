"""What the exercises of this unit compute, by other means: row by row, by differences, by counting.

PyTorch's own LSTM is called by the tests themselves.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from assignments.a2_lstm.cases import BackwardCase
from autograder.checks import central_slopes, gradients, leaves


def remember(x: Tensor, c: Tensor, write: Tensor, keep: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    """The new content as a sum over what is written and what is kept."""
    gates = torch.stack([write.expand_as(x), keep.expand_as(x)])
    content = torch.einsum("k...,k...->...", gates, torch.stack([x, c]))
    return content * read.expand_as(x), content


def step(x: Tensor, h: Tensor, c: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Row by row and gate by gate; σ(a) is (1 + tanh(a/2)) / 2."""
    size = h.shape[1]
    blocks = [
        (w_x[first : first + size], w_h[first : first + size], b[first : first + size])
        for first in range(0, 4 * size, size)
    ]
    rows = []
    for one, output, memory in zip(x, h, c, strict=True):
        i, f, g, o = (wx.mv(one) + wh.mv(output) + bias for wx, wh, bias in blocks)
        i, f, o = ((1 + torch.tanh(a / 2)) / 2 for a in (i, f, o))
        new = f * memory + i * g.tanh()
        rows.append((o * new.tanh(), new))
    outputs, memories = zip(*rows, strict=True)
    return torch.stack(outputs), torch.stack(memories)


def step_gradients(case: BackwardCase) -> tuple[Tensor, ...]:
    """By all that a step is given, by autograd through `step`."""
    inputs = leaves(case.inputs)
    return gradients(step(*inputs), inputs, [case.grad_h, case.grad_c])


def slopes(case: BackwardCase) -> tuple[Tensor, ...]:
    """The slope of Σ grad_h · h' + Σ grad_c · c' along a direction of each of a step's six arguments.

    By central differences; the directions are those of `weights_like`.
    """

    def loss(inputs: Sequence[Tensor]) -> Tensor:
        h, c = step(*inputs)
        return (case.grad_h * h).sum() + (case.grad_c * c).sum()

    return central_slopes(loss, case.inputs)


def number_tokens(texts: Sequence[Sequence[str]], min_count: int) -> dict[str, int]:
    """By taking the best of the tokens that are left, again and again."""
    words = [token for text in texts for token in text]
    left = {token for token in words if words.count(token) >= min_count} - {"<pad>", "<unk>"}
    vocab = {"<pad>": 0, "<unk>": 1}
    while left:
        most = max(words.count(token) for token in left)
        best = min(token for token in left if words.count(token) == most)
        vocab[best] = len(vocab)
        left.remove(best)
    return vocab


def pick_last(out: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack([row[:length][-1] for row, length in zip(out, lengths.tolist(), strict=True)])


def pad_rows(sequences: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    longest = max(map(len, sequences))
    rows = [[*sequence, *[pad] * (longest - len(sequence))] for sequence in sequences]
    return torch.tensor(rows), torch.tensor(list(map(len, sequences)))

"""Binary addition, bit by bit: the task that `SequenceTagger` is graded on.

Two numbers come in, one bit of each at every step, the lowest first, and the network answers with the bit
of their sum. Two ones leave a carry, and nothing in the input of the next step tells of it: it has to be in
the hidden state.

           step  0  1  2  3
    6 =          0  1  1  0       a bit goes in as -1 or 1
    3 =          1  1  0  0
    9 =          1  0  0  1       the target; step 2 is 1 + 0 and the carry from step 1

The check makes your model and trains it, with the constants below, on sums of 8 bits, then asks for sums of
16: a network that has learned to carry adds numbers of any length. To try it out, in this folder:

    model = SequenceTagger(INPUT_SIZE, HIDDEN_SIZE, N_CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for x, targets in training_batches():
        loss = sequence_cross_entropy(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    exact_sums(model)
"""

from collections.abc import Callable

import torch
from torch import Tensor

INPUT_SIZE = 2
N_CLASSES = 2
HIDDEN_SIZE = 16
BATCH_SIZE = 128
STEPS = 200
LR = 0.05
TRAIN_BITS = 8
TEST_BITS = 16
TEST_SUMS = 500


def draw_sums(count: int, bits: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random sums as (x (B, T, 2) of -1 and 1, targets (B, T) of 0 and 1), the lowest bit first.

    A carry out of the last bit is lost: the sums are modulo 2^bits.
    """
    summands = torch.randint(2, (count, bits, 2), generator=generator)
    place = 2 ** torch.arange(bits)
    total = (summands.sum(dim=2) * place).sum(dim=1, keepdim=True)
    return 2.0 * summands - 1, total // place % 2


def training_batches() -> list[tuple[Tensor, Tensor]]:
    """`STEPS` batches of sums of `TRAIN_BITS` bits, each drawn anew, and the same in every run."""
    generator = torch.Generator().manual_seed(0)
    return [draw_sums(BATCH_SIZE, TRAIN_BITS, generator) for _ in range(STEPS)]


def exact_sums(model: Callable[[Tensor], Tensor]) -> float:
    """The share of `TEST_SUMS` sums of `TEST_BITS` bits that come out right in every bit."""
    x, targets = draw_sums(TEST_SUMS, TEST_BITS, torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers = model(x).argmax(dim=2)
    return (answers == targets).all(dim=1).float().mean().item()

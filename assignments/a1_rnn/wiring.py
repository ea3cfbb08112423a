"""The ways to wire a recurrent network: where outputs are taken, what is fed back, what the targets are."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from rnn import RNN
from torch import Tensor, nn


class SequenceClassifier(nn.Module):
    """Read a whole sequence, then answer once: a recurrent network, a linear layer on its last real state."""

    def __init__(self, input_size: int, hidden_size: int, n_classes: int) -> None:
        """Make the recurrent network and the linear layer; the parameters' names are free."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch time input_size"], lengths: Int[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch n_classes"]:
        """Return the logits of every row, from all of its real steps.

        Steps t >= lengths[b] are padding: neither what stands there, NaN and infinity included, nor how much
        of it there is, nor the other rows change a row or any gradient. `lengths=None`: every step is real.

        Trap: the last column is the last real step only in the longest row.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class SequenceTagger(nn.Module):
    """Answer at every step: a recurrent network and one linear layer, the same for all of its states."""

    def __init__(self, input_size: int, hidden_size: int, n_classes: int) -> None:
        """Make the recurrent network and the linear layer; the parameters' names are free."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "batch time input_size"]) -> Float[Tensor, "batch time n_classes"]:
        """Return the logits of every step: those of step t come from x[:, : t + 1], all of it and no more."""
        # YOUR CODE HERE
        raise NotImplementedError()


class OutputRecurrentRNN(nn.Module):
    """A network whose only memory is its previous *output*: no state is passed on.

    h_t = tanh(w_x x_t + w_y y_{t-1} + b), y_t = v h_t + c.

    Source: Jordan 1986; teacher forcing: Williams and Zipser 1989.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        """Make the parameters `w_x (hidden, input)`, `w_y (hidden, output)`, `b (hidden,)`,
        `v (output, hidden)` and `c (output,)`, which are the whole state dict; initial values are free.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        x: Float[Tensor, "batch time input_size"],
        targets: Float[Tensor, "batch time output_size"] | None = None,
    ) -> Float[Tensor, "batch time output_size"]:
        """Return y_t for every step; y_{-1}, before step 0, is zeros.

        With `targets`, y_{t-1} in the formula is the previous correct label, targets[:, t - 1] (teacher
        forcing); without, it is the network's own previous output, through which the gradient flows, too.

        Trap: targets[:, t] is what step t must answer, so it must not see it; the last target is never fed.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def sequence_cross_entropy(
    logits: Float[Tensor, "batch time n_classes"],
    targets: Int[Tensor, "batch time"],
    lengths: Int[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:
    """Average the cross-entropy over the real tokens of a padded batch.

    loss = -(1/N) Σ_real log softmax(logits[b, t])[targets[b, t]], N the number of real tokens in the batch.

    Steps t >= lengths[b] are padding: whatever `logits` (NaN, infinity) and `targets` (ids that are no class)
    hold there, it changes neither the loss nor a gradient; the gradient of `logits` is 0 there.
    `lengths=None` means that every token is real. `F.cross_entropy` may be used.

    Traps: the mean of the rows' means weighs a token of a short row more. Multiplying a loss by 0 does not
    silence a NaN.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def next_step_pairs(
    tokens: Int[Tensor, "batch time"],
) -> tuple[Int[Tensor, "batch time-1"], Int[Tensor, "batch time-1"]]:
    """Make a sequence its own teacher -> (inputs, targets): at every step, the target is the next token.

    [5, 6, 7] gives the inputs [5, 6] and the targets [6, 7]. `time >= 2`.
    """
    # YOUR CODE HERE
    raise NotImplementedError()

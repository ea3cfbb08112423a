"""The four gates of an LSTM cell, as one object, and what a memory does with them."""

import torch


class Gates:
    """`write`, `keep`, `new` and `read`, each (B, H), from their stacked activations (B, 4H)."""

    def __init__(self, activations):
        blocks = activations.unflatten(-1, (4, -1))
        write, keep, new, read = blocks.unbind(dim=-2)
        self.write = write.sigmoid()
        self.keep = keep.sigmoid()
        self.new = new.tanh()
        self.read = read.sigmoid()

    def turn(self, c):
        """The memory (B, H) one step on -> (h, c)."""
        c = torch.addcmul(self.keep * c, self.write, self.new)
        return self.read * c.tanh(), c

    def gradient(self, grad_write, grad_keep, grad_new, grad_read):
        """From the gradients at the gates' values to the one at the stacked activations."""

        def through_sigmoid(grad, value):
            return grad * (value - value.square())

        return torch.stack(
            [
                through_sigmoid(grad_write, self.write),
                through_sigmoid(grad_keep, self.keep),
                grad_new - grad_new * self.new.square(),
                through_sigmoid(grad_read, self.read),
            ],
            dim=-2,
        ).flatten(-2)

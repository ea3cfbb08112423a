"""Classes that hold their layers in dictionaries, and own as few loops as they can."""

import torch
from recurrence import States, keep_mask, without_padding
from rnn import rnn_forward
from torch import Tensor, nn
from torch.nn import functional as F


class SequenceClassifier(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, n_classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {
                "from_input": nn.Linear(input_size, hidden_size),
                "from_state": nn.Linear(hidden_size, hidden_size, bias=False),
                "head": nn.Linear(hidden_size, n_classes),
            }
        )
        nn.init.orthogonal_(self.layers["from_state"].weight)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        start = x.new_zeros(x.shape[0], self.layers["from_state"].in_features)
        states = States(start, x.shape[1], lengths)
        drive = self.layers["from_input"](without_padding(x, states.keep))
        for t, d in enumerate(drive.unbind(1)):
            states.record(t, torch.tanh(d + self.layers["from_state"](states.now)))
        return self.layers["head"](states.now)


class SequenceTagger(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, n_classes: int) -> None:
        super().__init__()
        shapes = {
            "w_x": (hidden_size, input_size),
            "w_h": (hidden_size, hidden_size),
            "b": (hidden_size,),
            "out": (n_classes, hidden_size),
            "out_bias": (n_classes,),
        }
        self.weights = nn.ParameterDict({name: torch.empty(shape) for name, shape in shapes.items()})
        for weight in self.weights.values():
            nn.init.uniform_(weight, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weights
        h0 = x.new_zeros(x.shape[0], w["b"].shape[0])
        hs, _ = rnn_forward(x, h0, w["w_x"], w["w_h"], w["b"])
        return torch.einsum("bth,oh->bto", hs, w["out"]) + w["out_bias"]


class OutputRecurrentRNN(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.w_x = nn.Parameter(torch.empty(hidden_size, input_size))
        self.w_y = nn.Parameter(torch.empty(hidden_size, output_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.v = nn.Parameter(torch.empty(output_size, hidden_size))
        self.c = nn.Parameter(torch.zeros(output_size))
        for matrix in (self.w_x, self.w_y, self.v):
            nn.init.xavier_normal_(matrix)

    def output(self, drive: Tensor, previous: Tensor) -> Tensor:
        """(..., H), (..., O) -> (..., O)"""
        h = torch.tanh(drive + torch.einsum("...o,ho->...h", previous, self.w_y))
        return torch.einsum("...h,oh->...o", h, self.v) + self.c

    def forward(self, x: Tensor, targets: Tensor | None = None) -> Tensor:
        drive = torch.einsum("btd,hd->bth", x, self.w_x) + self.b
        y = x.new_zeros(x.shape[0], self.c.shape[0])
        if targets is not None:
            # every previous output is known beforehand: no loop at all
            return self.output(drive, torch.cat([y[:, None], targets[:, :-1]], dim=1))
        ys = x.new_empty(*x.shape[:2], self.c.shape[0])
        for t in range(x.shape[1]):
            y = ys[:, t] = self.output(drive[:, t], y)
        return ys


def sequence_cross_entropy(logits: Tensor, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
    keep = keep_mask(lengths, targets.shape[1])
    if keep is None:
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    log_p = without_padding(logits, keep).log_softmax(-1)
    of_target = log_p.gather(-1, torch.where(keep, targets, 0).unsqueeze(-1)).squeeze(-1)
    return -(of_target * keep).sum() / lengths.sum()


def next_step_pairs(tokens: Tensor) -> tuple[Tensor, Tensor]:
    windows = tokens.unfold(1, 2, 1)  # (B, T-1, 2): every token with its successor
    inputs, targets = windows.unbind(-1)
    return inputs, targets

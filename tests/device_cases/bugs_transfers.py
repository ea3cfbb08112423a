"""Bugs: computing on the CPU, results left there, generators and lengths on the wrong side."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.device_cases import DIM, bug


@bug("sequence")
def numpy_within(x):
    return torch.from_numpy(np.tanh(x.detach().numpy()))


@bug("sequence")
def asarray_for_a_mean(x):
    return x * float(np.asarray(x.detach()).mean())


@bug("sequence")
def result_left_on_the_cpu(x):
    return x.cpu() * 2


@bug("sequence")
def outputs_written_into_a_cpu_buffer(x):
    out = torch.zeros(x.shape)
    for t in range(x.size(1)):
        out[:, t] = x[:, t] * 2
    return out


@bug("sequence")
def copied_into_a_cpu_buffer(x):
    return torch.empty(x.shape).copy_(x)


@bug("sequence")
class HardCodedCPU(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, x):
        return self.linear(x.to("cpu"))


@bug("sequence", "descending_lengths")
class LengthsOfAPackedSequenceOnTheDevice(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(DIM, DIM, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.gru(packed)[1]


@bug("logits")
def cpu_generator_for_a_sample(logits):
    generator = torch.Generator().manual_seed(0)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)

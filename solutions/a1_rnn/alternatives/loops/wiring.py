import math

import torch
from rnn import RNN
from torch import nn


class SequenceClassifier(nn.Module):
    def __init__(self, input_size, hidden_size, n_classes):
        super().__init__()
        self.rnn = RNN(input_size, hidden_size)
        self.linear = nn.Linear(hidden_size, n_classes)

    def forward(self, x, lengths=None):
        logits = []
        for i in range(x.shape[0]):
            n = x.shape[1] if lengths is None else int(lengths[i])
            states, _ = self.rnn(x[i : i + 1, :n])
            logits.append(self.linear(states[0, -1]))
        return torch.stack(logits)


class SequenceTagger(nn.Module):
    def __init__(self, input_size, hidden_size, n_classes):
        super().__init__()
        self.rnn = RNN(input_size, hidden_size)
        self.linear = nn.Linear(hidden_size, n_classes)

    def forward(self, x):
        states, _ = self.rnn(x)
        logits = []
        for t in range(x.shape[1]):
            logits.append(self.linear(states[:, t]))
        return torch.stack(logits, dim=1)


class OutputRecurrentRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.output_size = output_size

        def parameter(*shape, fan_in):
            return nn.Parameter(torch.empty(*shape).uniform_(-1, 1) / math.sqrt(fan_in))

        self.w_x = parameter(hidden_size, input_size, fan_in=input_size)
        self.w_y = parameter(hidden_size, output_size, fan_in=output_size)
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.v = parameter(output_size, hidden_size, fan_in=hidden_size)
        self.c = nn.Parameter(torch.zeros(output_size))

    def forward(self, x, targets=None):
        rows = []
        for i in range(x.shape[0]):
            y = torch.zeros(self.output_size, dtype=x.dtype, device=x.device)
            outputs = []
            for t in range(x.shape[1]):
                if targets is not None and t > 0:
                    y = targets[i, t - 1]
                h = torch.tanh(self.w_x @ x[i, t] + self.w_y @ y + self.b)
                y = self.v @ h + self.c
                outputs.append(y)
            rows.append(torch.stack(outputs))
        return torch.stack(rows)


def sequence_cross_entropy(logits, targets, lengths=None):
    losses = []
    for i in range(logits.shape[0]):
        n = logits.shape[1] if lengths is None else lengths[i].item()
        for t in range(n):
            row = logits[i, t]
            losses.append(torch.logsumexp(row, dim=0) - row[targets[i, t].item()])
    return sum(losses) / len(losses)


def next_step_pairs(tokens):
    inputs, targets = [], []
    for row in tokens.tolist():
        inputs.append([row[t] for t in range(len(row) - 1)])
        targets.append([row[t + 1] for t in range(len(row) - 1)])
    return (
        torch.tensor(inputs, dtype=tokens.dtype, device=tokens.device),
        torch.tensor(targets, dtype=tokens.dtype, device=tokens.device),
    )

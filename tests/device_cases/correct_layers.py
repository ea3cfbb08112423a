"""Correct: modules, their parameters, buffers and state."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from tests.device_cases import DIM, TIME, WORDS, correct


@correct("sequence")
class MaskMadeOnFirstUse(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, x):
        if self.mask is None or self.mask.device != x.device:
            self.mask = torch.tril(torch.ones(TIME, TIME, device=x.device))
        return self.mask @ x


@correct("sequence")
class DeviceOfTheFirstParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, x):
        device = next(self.parameters()).device
        return self.linear(x) + torch.arange(DIM, device=device)


@correct("sequence")
class ParametersListedBeforeTheMove(nn.Module):
    """`Module.to` sets the data of parameters: the objects stay what they were."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)
        self.listed = list(self.linear.parameters())

    def forward(self, x):
        return x @ self.listed[0].t() + self.listed[1]


@correct("ids")
class TiedWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM)
        self.out = nn.Linear(DIM, WORDS, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, ids):
        assert self.out.weight is self.embedding.weight
        return self.out(self.embedding(ids))


@correct("sequence")
class BatchNormalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(DIM)
        nn.init.xavier_uniform_(torch.empty(3, 3))

    def forward(self, x):
        x = x.reshape(-1, DIM)
        training = self.norm(x)
        self.norm.eval()
        return training + self.norm(x)


@correct("sequence", builds=True)
def two_bidirectional_layers_of_lstm():
    return nn.LSTM(DIM, 4, 2, batch_first=True, bidirectional=True)


@correct("sequence", builds=True)
def gru():
    return nn.GRU(DIM, DIM, batch_first=True)


@correct("sequence", builds=True)
def elman_network():
    return nn.RNN(DIM, DIM, batch_first=True)


@correct("sequence")
class LoopOverCells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTMCell(DIM, DIM)
        self.gru = nn.GRUCell(DIM, DIM)

    def forward(self, x):
        hidden = x.new_zeros(x.size(0), DIM)
        memory, second = torch.zeros_like(hidden), hidden
        for t in range(x.size(1)):
            hidden, memory = self.lstm(x[:, t], (hidden, memory))
            second = self.gru(hidden, second)
        return second


@correct("sequence")
class RecurrenceByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_hidden = nn.Linear(DIM, DIM)
        self.again = nn.Linear(DIM, DIM)

    def forward(self, x):
        state, states = torch.zeros(x.size(0), DIM, device=x.device), []
        for t in range(x.size(1)):
            state = torch.tanh(self.to_hidden(x[:, t]) + self.again(state))
            states.append(state)
        return torch.stack(states, 1)


@correct("sequence", "lengths")
class PackedSequenceWithCPULengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(DIM, DIM, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


@correct("sequence")
class SelfAttentionOfTheLibrary(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(DIM, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


@correct("sequence", builds=True)
def transformer_encoder_in_training():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(DIM, 2, 16, 0.0, batch_first=True), 2)


@correct("sequence", builds=True)
def encoder_layer_in_evaluation():
    return nn.TransformerEncoderLayer(DIM, 2, 16, 0.0, batch_first=True).eval()


@correct("sequence")
class DecoderLayerWithAMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(DIM, 2, 16, 0.0, batch_first=True)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(1), device=x.device)
        return self.layer(x, x, tgt_mask=mask)


@correct("ids")
class BeamsAsPythonLists(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM)
        self.out = nn.Linear(DIM, WORDS)

    @torch.no_grad()
    def forward(self, ids):
        beams = [(ids[:1, :1], 0.0)]
        for _ in range(4):
            candidates = []
            for words, score in beams:
                log_probability = F.log_softmax(self.out(self.embedding(words).mean(1)), -1)[0]
                best, which = log_probability.topk(3)
                for more, word in zip(best.tolist(), which, strict=True):
                    candidates.append((torch.cat([words, word.view(1, 1)], 1), score + more))
            beams = sorted(candidates, key=lambda beam: -beam[1])[:3]
        return beams[0][0]


@correct("ids")
class SampledWordByWord(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM)
        self.out = nn.Linear(DIM, WORDS)

    @torch.no_grad()
    def forward(self, ids):
        for _ in range(4):
            probability = self.out(self.embedding(ids)[:, -1]).softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probability, 1)], 1)
            if (ids[:, -1] == WORDS + 1).all():
                break
        return ids


@correct("image", builds=True)
def convolutional_network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(4, 2, 3),
        nn.GroupNorm(1, 2),
        nn.Dropout(0.0),
    )


@correct("sequence")
class CopiedLoadedAndAveraged(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)
        self.register_buffer("mean", torch.zeros(DIM))

    def forward(self, x):
        average = copy.deepcopy(self.linear)
        average.load_state_dict(self.linear.state_dict())
        with torch.no_grad():
            for a, b in zip(average.parameters(), self.linear.parameters(), strict=True):
                a.mul_(0.9).add_(b, alpha=0.1)
                a.lerp_(b, 0.5)
            self.mean.copy_(x.mean((0, 1)))
        return average(x) + self.mean


@correct("ids")
class EmbeddingsWithPadding(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM, padding_idx=0)
        self.bag = nn.EmbeddingBag(WORDS, DIM, mode="mean")

    def forward(self, ids):
        return self.embedding(ids).mean(1) + self.bag(ids)


@correct("sequence")
class RegisteredThroughout(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("encoding", torch.randn(16, DIM), persistent=False)
        self.layers = nn.ModuleList([nn.Linear(DIM, DIM) for _ in range(2)])
        self.scales = nn.ParameterDict({"last": nn.Parameter(torch.ones(DIM))})

    def forward(self, x):
        x = x + self.encoding[: x.size(1)]
        for layer in self.layers:
            x = layer(x)
        return x * self.scales["last"]


@correct("sequence")
class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)
        self.linear.register_forward_hook(lambda module, args, out: out * 2)

    def forward(self, x):
        y = self.linear(x)
        if y.requires_grad:
            y.register_hook(lambda gradient: gradient * 2)
        return y


@correct("sequence", builds=True)
def weight_and_spectral_norm():
    parametrizations = nn.utils.parametrizations
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(DIM, DIM)), parametrizations.spectral_norm(nn.Linear(DIM, DIM))
    )


@correct("sequence")
class MixtureOfExperts(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(DIM, 3)
        self.experts = nn.ModuleList([nn.Linear(DIM, DIM) for _ in range(3)])

    def forward(self, x):
        flat = x.reshape(-1, DIM)
        weights, chosen = self.gate(flat).softmax(-1).topk(2, -1)
        out = torch.zeros_like(flat)
        for k, expert in enumerate(self.experts):
            rows, ranks = (chosen == k).nonzero(as_tuple=True)
            if rows.numel():
                out.index_add_(0, rows, expert(flat[rows]) * weights[rows, ranks, None])
        return out.view_as(x)


@correct("sequence", "steps")
class RegisteredNoiseSchedule(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.cumprod(1 - torch.linspace(1e-4, 0.02, 10), 0))

    def forward(self, x, steps):
        kept = self.kept[steps].view(-1, 1, 1)
        return kept.sqrt() * x + (1 - kept).sqrt() * torch.ones_like(x)

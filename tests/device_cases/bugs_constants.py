"""Bugs: a constant, a mask or a start state that is made on the CPU."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.device_cases import BATCH, CLASSES, DIM, NODES, TIME, WORDS, bug


@bug("sequence")
def zeros_added(x):
    return torch.zeros(x.shape) + x


@bug("sequence")
def list_of_factors_as_a_tensor(x):
    return x * torch.tensor([1.0] * DIM)


@bug("sequence")
def constant_from_numpy(x):
    weight = np.ones((DIM, DIM), dtype=np.float32)
    return x @ torch.from_numpy(weight)


@bug("sequence")
def running_sum_in_a_number_on_the_cpu(x):
    total = torch.tensor(0.0)
    for row in x:
        total += row.sum().detach()
    return total


@bug("sequence")
def encoding_added_in_place(x):
    x = x.clone()
    x += torch.ones(TIME, DIM)
    return x


@bug("sequence")
def maximum_with_a_floor(x):
    return torch.maximum(x, torch.full((DIM,), -1.0))


@bug("sequence")
def lerp_to_zeros(x):
    return torch.lerp(x, torch.zeros(DIM), 0.5)


@bug("sequence")
def where_with_one_element(x):
    return torch.where(x > 0, x, torch.zeros(1))


@bug("sequence", "sequence")
def reparametrised_with_noise_of_a_shape(mean, log_variance):
    return mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape)


@bug("sequence")
def start_frame_concatenated(x):
    return torch.cat([torch.zeros(x.size(0), 1, x.size(2)), x], 1)


@bug("sequence")
def loss_stacked_with_zero(x):
    return torch.stack([x.sum(), torch.tensor(0.0)])


@bug("ids")
def start_tokens_concatenated(ids):
    return torch.cat([ids, torch.tensor([[1], [2]])], 1)


@bug("sequence")
def identity_in_an_einsum(x):
    return torch.einsum("btd,de->bte", x, torch.eye(DIM))


@bug("sequence")
def averaging_by_one_hot_positions(x):
    return F.one_hot(torch.arange(TIME), TIME).float() @ x


@bug("sequence")
def bias_of_a_batched_product(x):
    return torch.baddbmm(torch.zeros(BATCH, TIME, TIME), x, x.transpose(1, 2))


@bug("sequence")
def similarity_to_an_anchor(x):
    return F.cosine_similarity(x, torch.ones(DIM), dim=-1)


@bug("sequence")
def fixed_convolution_kernel(x):
    return F.conv1d(x, torch.ones(3, TIME, 3))


@bug("sequence")
def normalised_with_a_fixed_weight(x):
    return F.layer_norm(x, (DIM,), torch.ones(DIM))


@bug("sequence")
def right_hand_side_of_a_system(x):
    system = x @ x.transpose(1, 2) + torch.eye(TIME, device=x.device)
    return torch.linalg.solve(system, torch.ones(BATCH, TIME, 1))


@bug("logits", "labels")
def class_weights_of_a_loss(logits, labels):
    return F.cross_entropy(logits, labels, weight=torch.ones(CLASSES))


@bug("ids")
def weights_of_a_count(ids):
    return torch.bincount(ids.flatten(), weights=torch.ones(ids.numel()))


@bug("query", "key")
def causal_mask_filled(query, key):
    scores = query @ key.transpose(1, 2)
    mask = torch.tril(torch.ones(TIME, TIME)).bool()
    return scores.masked_fill(~mask, -1e9).softmax(-1)


@bug("query", "key", "value")
def causal_mask_of_the_fused_attention(query, key, value):
    mask = torch.ones(TIME, TIME).tril().bool()
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


_masks: dict[int, torch.Tensor] = {}


@bug("sequence")
def causal_mask_from_a_cache(x):
    if TIME not in _masks:
        _masks[TIME] = torch.ones(TIME, TIME).triu(1).bool()
    return (x @ x.transpose(1, 2)).masked_fill(_masks[TIME], -1e9)


@bug("sequence")
class CausalMaskOfTheLibrarysAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(DIM, 2, batch_first=True)

    def forward(self, x):
        mask = torch.triu(torch.ones(TIME, TIME, dtype=torch.bool), 1)
        return self.attention(x, x, x, attn_mask=mask)[0]


@bug("sequence")
class PositionsByArange(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(16, DIM)

    def forward(self, x):
        return x + self.embedding(torch.arange(x.size(1)))


@bug("sequence")
class RotaryAngles(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("frequency", torch.ones(4))

    def forward(self, x):
        angles = torch.outer(torch.arange(x.size(1)).float(), self.frequency)
        return x[..., :4] * angles.cos()


@bug("ids")
class StartTokenEmbedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM)

    def forward(self, ids):
        return self.embedding(torch.full((ids.size(0), 1), 1))


@bug("sequence")
class StartStateOfALSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(DIM, DIM, batch_first=True)

    def forward(self, x):
        start = torch.zeros(1, x.size(0), DIM)
        return self.lstm(x, (start, start))[0]


@bug("sequence")
class StartStateOfAGRUCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(DIM, DIM)

    def forward(self, x):
        state = torch.zeros(x.size(0), DIM)
        for t in range(x.size(1)):
            state = self.cell(x[:, t], state)
        return state


@bug("nodes", "edges")
def self_loops_by_eye(x, edges):
    adjacency = torch.zeros(NODES, NODES, device=x.device)
    adjacency[edges[0], edges[1]] = 1
    return (adjacency + torch.eye(NODES)) @ x

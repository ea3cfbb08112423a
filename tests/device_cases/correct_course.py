"""Correct pieces of this course's exercises, written after the simulation and not used to make it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.device_cases import CLASSES, DIM, NODES, TIME, WORDS, correct


@correct("sequence")
class LearntStartState(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(DIM, DIM, batch_first=True)
        self.start = nn.Parameter(torch.zeros(2, 1, 1, DIM))

    def forward(self, x):
        hidden, memory = self.start.expand(-1, -1, x.size(0), -1).contiguous().unbind(0)
        out, (last, _) = self.lstm(x, (hidden, memory))
        return out, last


@correct("sequence")
def start_state_by_the_old_constructor(x):
    state = x.new(x.size(0), DIM).zero_()
    for t in range(x.size(1)):
        state = torch.tanh(state + x[:, t])
    return state


@correct("sequence")
class GatesInOneProduct(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Linear(2 * DIM, 4 * DIM)

    def forward(self, x):
        hidden = memory = x.new_zeros(x.size(0), DIM)
        outputs = torch.empty(x.shape, device=x.device)
        for t in range(x.size(1)):
            i, f, g, o = self.gates(torch.cat([x[:, t], hidden], -1)).chunk(4, -1)
            memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * memory.tanh()
            outputs[:, t] = hidden
        return outputs


@correct("sequence", "lengths")
def last_real_step(x, lengths):
    return x[torch.arange(x.size(0), device=x.device), lengths - 1]


@correct("sequence", "lengths")
def last_real_step_by_cpu_rows(x, lengths):
    """Legal: what indexes may lie on the CPU, even beside an index that does not."""
    return x[torch.arange(x.size(0)), lengths - 1]


@correct("sequence", "lengths")
def mean_over_real_steps(x, lengths):
    mask = torch.arange(x.size(1), device=x.device) < lengths[:, None]
    return (x * mask[..., None]).sum(1) / lengths[:, None]


@correct("sequence", "lengths")
def loop_over_lengths_as_numbers(x, lengths):
    return torch.stack([x[i, :n].mean(0) for i, n in enumerate(lengths.tolist())])


@correct("sequence", "lengths")
class PackedInEnforcedOrder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(DIM, 3, 2, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        lengths, order = lengths.sort(descending=True)
        packed = nn.utils.rnn.pack_padded_sequence(x[order], lengths.tolist(), batch_first=True)
        out, last = self.gru(packed)
        padded, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=TIME)
        return padded[order.argsort()], last


@correct("sequence")
class SinusoidsInABuffer(nn.Module):
    def __init__(self):
        super().__init__()
        position = torch.arange(16.0)[:, None]
        frequency = torch.exp(torch.arange(0, DIM, 2) * (-math.log(1e4) / DIM))
        encoding = torch.zeros(16, DIM)
        encoding[:, 0::2] = torch.sin(position * frequency)
        encoding[:, 1::2] = torch.cos(position * frequency)
        self.register_buffer("encoding", encoding)

    def forward(self, x):
        return F.dropout(x + self.encoding[: x.size(1)], 0.5, self.training)


@correct("query", "key", "value", "lengths")
def masked_heads_by_einsum(query, key, value, lengths):
    q, k, v = (x.unflatten(-1, (2, -1)) for x in (query, key, value))
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(DIM / 2)
    is_key = torch.arange(TIME, device=query.device) < lengths.view(-1, 1, 1, 1)
    weights = torch.softmax(scores.masked_fill(~is_key, -torch.inf), -1).nan_to_num(0.0)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(-2)


@correct("query", "key", "value")
class AttentionWithDropoutAndPadding(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(DIM, 2, dropout=0.5, batch_first=True)

    def forward(self, query, key, value):
        padding = torch.zeros(key.shape[:2], dtype=torch.bool, device=key.device)
        padding[1, 3:] = True
        return self.attention(query, key, value, key_padding_mask=padding)


@correct("query", "key", "value")
def steps_with_a_cache(query, key, value):
    keys, values, outputs = key.new_empty(2, 0, DIM), value.new_empty(2, 0, DIM), []
    for t in range(TIME):
        keys = torch.cat([keys, key[:, t : t + 1]], 1)
        values = torch.cat([values, value[:, t : t + 1]], 1)
        outputs.append((query[:, t : t + 1] @ keys.mT).softmax(-1) @ values)
    return torch.cat(outputs, 1)


@correct("query", "key")
def bias_by_distance(query, key):
    steps = torch.arange(TIME, device=query.device)
    bias = -(steps[:, None] - steps).abs()
    return (query @ key.mT + bias).softmax(-1)


@correct("logits")
def batched_beams(logits):
    log_probability = logits.log_softmax(-1)
    scores = torch.full((2, 3), float("-inf"), device=logits.device)
    scores[:, 0] = 0
    total = scores[..., None] + log_probability[:, None]
    best, flat = total.flatten(1).topk(3)
    return best, torch.div(flat, CLASSES, rounding_mode="floor"), flat % CLASSES


@correct("logits")
def beams_until_all_are_finished(logits):
    step, finished = 0, torch.zeros(2, dtype=torch.bool, device=logits.device)
    while not finished.all():
        step += 1
        finished |= logits.argmax(-1) < step
    return logits * step


@correct("logits", "generator")
def sampled_with_the_given_generator(logits, generator):
    temperature = torch.tensor(0.7)
    probability = (logits / temperature).softmax(-1)
    words = torch.multinomial(probability, 2, generator=generator)
    noise = torch.rand(logits.shape, generator=generator, device=logits.device)
    gumbel = torch.empty_like(logits).exponential_(generator=generator).log()
    return words, noise, (logits.detach() - gumbel).argmax(-1)


@correct("nodes", "edges", "generator")
def neighbours_sampled(x, edges, generator):
    order = torch.randperm(edges.size(1), generator=generator, device=x.device)[:3]
    source, target = edges[:, order]
    return x.index_add(0, target, x[source])


@correct("nodes", "edges")
class GraphConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(DIM, 3))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, edges):
        loops = torch.arange(len(x), device=edges.device).expand(2, -1)
        source, target = torch.cat([edges, loops], 1)
        degree = torch.zeros(len(x), device=x.device).index_add_(0, target, x.new_ones(len(target)))
        scale = degree.rsqrt()
        messages = (scale[source] * scale[target])[:, None] * (x @ self.weight)[source]
        return torch.zeros(len(x), 3, device=x.device).index_add(0, target, messages)


@correct("nodes", "edges")
def softmax_over_neighbours(x, edges):
    source, target = edges
    scores = F.leaky_relu((x[source] * x[target]).sum(-1), 0.2)
    largest = scores.new_full((NODES,), -torch.inf).scatter_reduce(0, target, scores, "amax")
    weights = (scores - largest[target]).exp()
    total = weights.new_zeros(NODES).scatter_add(0, target, weights)
    share = weights / total[target]
    return x.new_zeros(NODES, DIM).index_add(0, target, share[:, None] * x[source])


@correct("nodes", "edges")
def adjacency_by_index_put(x, edges):
    adjacency = torch.zeros(NODES, NODES, device=x.device)
    adjacency.index_put_((edges[0], edges[1]), torch.tensor(1.0), accumulate=True)
    return adjacency @ x


@correct("nodes", "edges")
def mean_by_sorting_the_targets(x, edges):
    target, order = edges[1].sort()
    groups, counts = torch.unique_consecutive(target, return_counts=True)
    parts = x[edges[0][order]].split(counts.tolist())
    return torch.stack([part.mean(0) for part in parts]), groups


@correct("nodes", "graph_of_node")
def pooled_graph_by_graph(x, graph_of_node):
    graphs = int(graph_of_node.max()) + 1
    return torch.stack([x[graph_of_node == graph].amax(0) for graph in range(graphs)])


class _LinearByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        ones = torch.ones((), device="cuda" if gradient.is_cuda else "cpu")
        return ones * (gradient @ weight.mT), torch.einsum("...i,...j->ij", x, gradient)


@correct("sequence")
def linear_with_its_own_backward(x):
    weight = torch.linspace(-1, 1, DIM * 3, device=x.device).view(DIM, 3).requires_grad_()
    return _LinearByHand.apply(x, weight)


@correct("sequence")
def back_propagation_through_time_by_hand(x):
    x = x.detach()
    weight = torch.eye(DIM, device=x.device) / 2
    states = [x.new_zeros(x.size(0), DIM)]
    for t in range(TIME):
        states.append(torch.tanh(states[-1] @ weight + x[:, t]))
    gradient, of_weight = torch.ones_like(states[-1]), torch.zeros_like(weight)
    for t in reversed(range(TIME)):
        inner = gradient * (1 - states[t + 1] ** 2)
        of_weight += states[t].mT @ inner
        gradient = inner @ weight.mT
    return of_weight, gradient


@correct("sequence")
class ReservoirRegistered(nn.Module):
    def __init__(self):
        super().__init__()
        reservoir = torch.rand(DIM, DIM)
        self.register_buffer("reservoir", reservoir / torch.linalg.eigvals(reservoir).abs().max())

    def forward(self, x):
        state = x.new_zeros(x.size(0), DIM)
        for t in range(x.size(1)):
            state = 0.7 * state + 0.3 * torch.tanh(state @ self.reservoir + x[:, t])
        ridge = state.mT @ state + 0.1 * torch.eye(DIM, device=x.device)
        return torch.linalg.solve(ridge, state.mT @ x[:, -1])


@correct("sequence")
def steps_by_setting_data(x):
    weight = nn.Parameter(torch.ones(DIM, device=x.device))
    for _ in range(3):
        weight.grad = None
        (x.detach() * weight).pow(2).sum().backward()
        weight.data = weight.data - 0.01 * weight.grad.data
    weight.data.clamp_(-1, 1)
    return weight.detach() * 1


@correct("sequence")
def adam_with_foreach_and_a_schedule(x):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(DIM, DIM), nn.Tanh(), nn.Dropout(0.5), nn.Linear(DIM, 1)).to(x.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.01, foreach=True)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1)
    for _ in range(2):
        optimiser.zero_grad()
        model(x.detach()).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        schedule.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@correct("logits", "labels")
def label_smoothing_by_scatter(logits, labels):
    targets = torch.full_like(logits, 0.1 / (CLASSES - 1)).scatter(1, labels[:, None], 0.9)
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()


@correct("ids")
def counts_of_words(ids):
    one_hot = F.one_hot(ids, WORDS)
    words, counts = ids.unique(return_counts=True)
    cumulative = counts.cumsum(0)
    return one_hot.sum((0, 1)), words, torch.searchsorted(cumulative, ids), ids.flatten().argsort(stable=True)


@correct("sequence")
def clamped_by_numbers(x):
    low = float(x.detach().min()) / 2
    return x.clamp(low, 1.0).clamp_min(torch.tensor(-0.5, device=x.device)) ** torch.tensor(2)


@correct("sequence")
def ends_of_a_padded_list(x):
    rows = [x[0, :2], x[1], x.new_zeros(1, DIM)]
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1.0)
    packed = nn.utils.rnn.pack_sequence([rows[1], rows[0]])
    return padded, packed.data


@correct("sequence")
def padded_with_cpu_rows(x):
    """Legal: `pad_sequence` copies every row into a tensor on the device of the first."""
    rows = [*x.unbind(0), torch.zeros(2, DIM)]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)

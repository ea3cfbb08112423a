"""Correct: tensors and functions of them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.device_cases import BATCH, CLASSES, DIM, TIME, WORDS, correct


@correct("sequence")
class ClassConstantMovedWhereTheInputIs(nn.Module):
    ones = torch.ones(DIM)

    def forward(self, x):
        return x * self.ones.to(x)


@correct("sequence")
def made_like_another(x):
    return x + torch.ones(DIM).type_as(x) + x.new_full((DIM,), 2.0) + torch.full_like(x, 3.0)


@correct("sequence")
def finite_differences_in_float64(x):
    z, step = x.detach().double(), 1e-4
    return ((z + step).pow(2).sum() - (z - step).pow(2).sum()) / (2 * step)


@correct("sequence")
def mean_of_nearest_neighbours(x):
    nearest = torch.cdist(x, x).topk(3, largest=False).indices
    candidates = x.unsqueeze(1).expand(-1, TIME, -1, -1)
    return candidates.gather(2, nearest[..., None].expand(-1, -1, -1, DIM)).mean(2)


@correct("logits")
def nucleus_of_a_distribution(logits):
    ordered, order = logits.sort(-1, descending=True)
    is_out = ordered.softmax(-1).cumsum(-1) > 0.9
    is_out[..., 1:] = is_out[..., :-1].clone()
    is_out[..., 0] = False
    return logits.masked_fill(torch.zeros_like(is_out).scatter(-1, order, is_out), -1e9)


@correct("query", "key", "value")
def attention_with_its_mask_on_the_device(query, key, value):
    scores = query @ key.transpose(1, 2) / math.sqrt(DIM)
    mask = torch.tril(torch.ones(TIME, TIME, device=query.device)).bool()
    return scores.masked_fill(~mask, float("-inf")).softmax(-1) @ value


@correct("query", "key", "value")
def fused_causal_attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


@correct("query", "key", "value")
def fused_attention_with_a_mask(query, key, value):
    mask = torch.ones(TIME, TIME, device=query.device).tril().bool()
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@correct("sequence")
def branch_on_a_value(x):
    return x / x.abs().max() if x.abs().max() > 1 else x


@correct("sequence")
def power_iteration_until_it_converges(x):
    matrix = x[0].t() @ x[0]
    vector = torch.ones(DIM, device=x.device)
    for _ in range(50):
        new = matrix @ vector
        new = new / new.norm()
        if (new - vector).abs().max().item() < 1e-6:
            break
        vector = new
    return vector


@correct("sequence")
def clusters_until_nothing_changes(x):
    points = x.reshape(-1, DIM).detach()
    centres = points[:2].clone()
    for _ in range(20):
        nearest = torch.cdist(points, centres).argmin(1)
        new = torch.stack([points[nearest == k].mean(0) for k in range(2)])
        if torch.allclose(new, centres):
            break
        centres = new
    return centres


@correct("sequence")
def selected_by_a_mask(x):
    return x[x > 0].sum() + x.nonzero().float().sum()


@correct("sequence")
def ordered_and_counted(x):
    values, _ = x.topk(3, -1)
    ordered, _ = x.sort(-1)
    return values.sum() + ordered[..., 0].sum() + torch.unique(x.argmax(-1)).float().sum()


@correct("sequence")
def cpu_positions_index_the_device(x):
    order = torch.randperm(x.size(1))
    return x[:, order].sum() * 0 + x[torch.tensor([1, 0])]


@correct("sequence")
def cpu_mask_indexes_the_device(x):
    return x[torch.tensor([True, False])]


@correct("sequence")
def numbers_as_cpu_tensors(x):
    half = x * torch.tensor(0.5)
    return torch.where(x > torch.tensor(0.0), half, torch.tensor(-1.0)) + torch.tensor(2)


@correct("sequence")
def both_branches_of_where_are_numbers(x):
    return torch.where(x > 0, torch.tensor(1.0), torch.tensor(-1.0))


@correct("sequence")
def numbers_written(x):
    x = x.clone()
    x[0] = torch.tensor(3.0)
    x[:, 1] = 2
    x[x > 2.5] = torch.tensor(0.0)
    x[x < -2.5] = torch.zeros(1)
    return x.masked_fill(x < 0, torch.tensor(1.0))


@correct("sequence")
def cpu_rows_written_into_a_slice(x):
    x = x.clone()
    x[:, 0] = torch.ones(DIM)
    return x


@correct("sequence")
def rolled_flipped_and_padded(x):
    products = torch.einsum("btd,bsd->bts", x, x)
    return F.pad(products.cumsum(1).roll(1, 2).flip(0).tril(), (1, 1))


@correct("sequence")
def rotation_by_complex_numbers(x):
    pairs = torch.view_as_complex(x.reshape(BATCH, TIME, 4, 2))
    angles = torch.arange(TIME * 4.0, device=x.device).view(TIME, 4)
    turned = pairs * torch.polar(torch.ones(TIME, 4, device=x.device), angles)
    return torch.view_as_real(turned).flatten(2) + torch.fft.fft(x).real


@correct("sequence")
def linear_algebra(x):
    matrix = x @ x.transpose(1, 2) + torch.eye(TIME, device=x.device)
    parts = [torch.linalg.svdvals(x), torch.linalg.qr(matrix)[1].abs(), torch.linalg.solve(matrix, matrix)]
    parts += [torch.linalg.cholesky(matrix), torch.linalg.inv(matrix), torch.logdet(matrix)]
    return sum(part.sum() for part in parts)


@correct("sequence")
def views_written_through(x):
    y = x.clone()
    y[:, 0] += 1
    y.view(-1)[3] = 7
    y.transpose(1, 2)[0, 0, 0] = -5
    y[..., ::2].mul_(2)
    y[:, 1].zero_()
    y.select(1, 2).copy_(y[:, 3])
    y.flatten()[::3] = 0
    y.squeeze_()
    left, right = y.split(4, 2)
    return torch.cat([left, right], 2) + y.expand(2, 5, 8)


@correct("sequence")
def written_into_out(x):
    x = x.detach()
    out = torch.empty_like(x)
    torch.add(x, 1, out=out)
    torch.matmul(x, x.transpose(1, 2), out=torch.empty(BATCH, TIME, TIME, device=x.device))
    return out


@correct("sequence")
def windows(x):
    return x.unfold(1, 3, 1).sum(-1) + x.as_strided((BATCH, 3, DIM), (TIME * DIM, DIM, 1))


@correct("sequence", "ids")
def repeated_split_and_joined(x, ids):
    repeats = torch.tensor([1, 2], device=x.device)
    rows, _ = torch.meshgrid(
        torch.arange(3, device=x.device), torch.arange(2, device=x.device), indexing="ij"
    )
    joined = torch.cat(x.split(2, 1), 1).sum() + x.repeat_interleave(repeats, 0).sum()
    return x.repeat_interleave(2, 0).sum() + F.one_hot(ids, WORDS).float().sum() + joined + rows.sum()


@correct("sequence", "ids")
def binned_and_counted(x, ids):
    x = x.detach()
    bounds = torch.linspace(-1, 1, 5, device=x.device)
    counts = torch.bincount(ids.flatten(), minlength=WORDS).sum() + torch.histc(x, 4).sum()
    found = torch.isin(ids, torch.tensor([1, 2], device=ids.device)).sum()
    return torch.bucketize(x, bounds).sum() + torch.searchsorted(bounds, x).sum() + counts + found


@correct("sequence")
def padded_from_a_list(x):
    return nn.utils.rnn.pad_sequence([x[0, :3], x[1, :5]], batch_first=True)


@correct("sequence")
def constant_from_numpy_on_the_device(x):
    ones = torch.from_numpy(np.ones(DIM, dtype=np.float32)).to(x.device)
    return x + ones + torch.tensor(np.ones(DIM), dtype=x.dtype, device=x.device)


@correct("logits", "labels")
def losses(logits, labels):
    one_hot = F.one_hot(labels, CLASSES).float()
    log_probability = logits.log_softmax(-1)
    return (
        F.cross_entropy(logits, labels)
        + F.nll_loss(log_probability, labels)
        + F.binary_cross_entropy_with_logits(logits, one_hot)
        + F.mse_loss(logits, logits * 2)
        + F.kl_div(log_probability, logits.softmax(-1), reduction="batchmean")
        + F.smooth_l1_loss(logits, logits + 1)
    )


@correct("sequence")
def ctc_loss_with_cpu_lengths(x):
    targets = torch.tensor([[1, 2], [2, 1]], device=x.device)
    log_probability = x.log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probability, targets, torch.tensor([5, 5]), torch.tensor([2, 2]))

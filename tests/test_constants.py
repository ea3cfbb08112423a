"""A constant of the right shape solves nothing, however many laws it obeys: it earns next to nothing.

Masked keys cannot change zeros, their order does not matter to ones, and NaN is the same in any memory
layout. The submissions here are made of one constant each and graded on the real unit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.course import Course
from autograder.results import Status, UnitResult
from autograder.submission import Submission
from tests.toy import session_of

UNIT = "a3_attention"

MASKS = """
import torch


def padding_mask(lengths, max_len):
    return torch.full((len(lengths), max_len), bool(VALUE))


def causal_mask(size):
    return torch.full((size, size), bool(VALUE))
"""

ATTENTION = """
def masked_softmax(scores, mask=None, dim=-1):
    return scores.new_full(scores.shape, VALUE)


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    return keys.new_full(keys[:, 0].shape, VALUE), keys.new_full(keys.shape[:2], VALUE)


def hard_attention(weights, values, generator):
    return values.new_full(values[:, 0].shape, VALUE), values.new_full(values.shape[:1], VALUE)


def luong_scores(query, keys, kind, w=None, v=None):
    return keys.new_full(keys.shape[:2], VALUE)


def local_attention(query, keys, centre, window, mask=None):
    return keys.new_full(keys[:, 0].shape, VALUE), keys.new_full(keys.shape[:2], VALUE)


def scaled_dot_product_attention(q, k, v, mask=None):
    batch = q.shape[:-1]
    return q.new_full((*batch, v.shape[-1]), VALUE), q.new_full((*batch, k.shape[-2]), VALUE)
"""

POSITIONS = """
import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    return torch.full((max_len, d_model), VALUE)


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(max_len, d_model))

    def forward(self, x):
        return torch.full_like(x, VALUE)
"""

MULTIHEAD = """
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model, got {n_heads}")
        self.n_heads = n_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.add_module(name, nn.Linear(d_model, d_model, bias=bias))

    def forward(self, query, key=None, value=None, mask=None):
        keys = query if key is None else key
        shape = (query.shape[0], self.n_heads, query.shape[1], keys.shape[1])
        return query.new_full(query.shape, VALUE), query.new_full(shape, VALUE)
"""

SEQ2SEQ = """
from torch import nn


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.out = nn.Linear(hidden_size, tgt_vocab)

    def forward(self, src, src_lengths, tgt_in):
        # As if it depended on the parameters: a training step can be taken.
        nothing = sum(0 * parameter.sum() for parameter in self.parameters())
        logits = nothing.new_full((*tgt_in.shape, self.out.out_features), VALUE)
        return logits + nothing, nothing.new_full((*tgt_in.shape, src.shape[1]), VALUE) + nothing


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    return [list(IDS) for _ in src]


def train_seq2seq(model, batches, lr, steps):
    return [LOSS] * steps
"""

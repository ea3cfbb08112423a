"""A constant of the right shape solves nothing, however many laws it obeys, and earns next to nothing.

Masked keys cannot change zeros, their order does not matter to ones, and NaN is the same in any memory
layout. Each submission here returns one constant wherever it can, and is graded on the real unit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.course import Course
from autograder.grading import frozen
from autograder.grading.session import GradingSession
from autograder.results import Status, UnitResult
from autograder.submission import Submission, read_submission

REAL = Path(__file__).resolve().parents[1]
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
    return keys.new_full(keys[:, 0].shape, VALUE), keys.new_full(keys.shape[:2], OTHER)


def hard_attention(weights, values, generator):
    return values.new_full(values[:, 0].shape, VALUE), values.new_full(values.shape[:1], OTHER)


def luong_scores(query, keys, kind, w=None, v=None):
    return keys.new_full(keys.shape[:2], VALUE)


def local_attention(query, keys, centre, window, mask=None):
    return keys.new_full(keys[:, 0].shape, VALUE), keys.new_full(keys.shape[:2], OTHER)


def scaled_dot_product_attention(q, k, v, mask=None):
    batch = q.shape[:-1]
    return q.new_full((*batch, v.shape[-1]), VALUE), q.new_full((*batch, k.shape[-2]), OTHER)
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
        return query.new_full(query.shape, VALUE), query.new_full(shape, OTHER)
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
        return logits + nothing, nothing.new_full((*tgt_in.shape, src.shape[1]), OTHER) + nothing


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    return [IDS[:max_len] for _ in src]


def train_seq2seq(model, batches, lr, steps):
    return [LOSS] * steps
"""


TEMPLATES = {
    "masks": MASKS,
    "attention": ATTENTION,
    "positions": POSITIONS,
    "multihead": MULTIHEAD,
    "seq2seq": SEQ2SEQ,
}
# VALUE is returned in place of the first result of a call, OTHER of the second.
CONSTANTS = {
    "zeros": "VALUE = OTHER = LOSS = 0.0; IDS = []",
    "ones": "VALUE = OTHER = 1.0; LOSS = 0.0; IDS = [3]",
    "NaN": "VALUE = OTHER = LOSS = float('nan'); IDS = []",
    "zeros and ones": "VALUE = 0.0; OTHER = LOSS = 1.0; IDS = [3, 3, 3, 3, 3, 3]",
}
# What passes all the same, and honestly: four linear layers are really built, a bad head count is refused.
EARNED = {
    "assignments/a3_attention/test_multihead.py::test_the_state_dict_is_four_linear_layers",
    "assignments/a3_attention/test_multihead.py::test_heads_that_do_not_divide_the_size_are_refused",
}


@pytest.fixture(scope="module")
def session() -> Iterator[GradingSession]:
    with pytest.MonkeyPatch.context() as patch, GradingSession(Course.find(REAL), (UNIT,)) as session:
        patch.setattr(frozen, "MAX_SHRINK_TRIALS", 1)  # nearly everything fails here, and no case is told
        # Somebody has passed every check: from now on calls are asked for ahead, known answers looked up.
        assert solution(session).score == 100
        yield session


def solution(session: GradingSession) -> UnitResult:
    return session.grade(read_submission(REAL / "solutions" / UNIT, tuple(TEMPLATES), "solution", UNIT))


def constants(session: GradingSession, which: str) -> UnitResult:
    sources = {module: f"{CONSTANTS[which]}\n{text}" for module, text in TEMPLATES.items()}
    return session.grade(Submission(which, UNIT, Path("/submitted") / UNIT, sources))


def passed(result: UnitResult) -> set[str]:
    return {
        check.id
        for exercise in result.exercises
        for check in exercise.checks
        if check.status is Status.PASSED
    }


@pytest.mark.parametrize("which", CONSTANTS)
def test_constants_earn_what_they_do_right_and_no_law(session: GradingSession, which: str) -> None:
    result = constants(session, which)
    assert passed(result) == EARNED
    assert result.score <= 5


def test_a_law_that_only_a_constant_obeys_says_so(session: GradingSession) -> None:
    checks = [check for exercise in constants(session, "zeros").exercises for check in exercise.checks]
    [message] = [c.message for c in checks if c.id.endswith("masked_scores_cannot_change_the_weights")]
    assert message.splitlines()[1:] == [
        "  wrong    weights is 0.0 in every case, whatever goes in",
        "  because  a constant obeys this law without computing anything",
    ]


def test_a_known_answer_counts_as_computed(session: GradingSession) -> None:
    """Cases whose answers are known are not run again, neither for right code nor for constants."""
    assert passed(constants(session, "ones")) == passed(constants(session, "ones")) == EARNED
    assert solution(session).score == 100

"""The global random state that a submission meets: the same in a student's process and in the worker."""

from __future__ import annotations

import random

import torch

_STRIDE = 1_000_003


def call_seed(ordinal: int) -> int:
    """The seed before the `ordinal`-th student call of a case.

    Each call gets another one, so that two calls fed the same generator differ where a
    submission draws from global state.
    """
    return 20_240 + _STRIDE * ordinal


def seed_everything(seed: int) -> None:
    """Seed torch's and Python's global generators (and numpy's, if it is loaded)."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed is 70 times slower: it visits every backend
    random.seed(seed)

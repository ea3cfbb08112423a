"""Which cases tell the known mistakes apart."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from autograder.diagnosis.fingerprint import Fingerprint
from autograder.diagnosis.table import Probe

# Cases on which a mistake must answer wrongly, where so many do: one could be hit by chance.
ENOUGH = 3

Answers = Mapping[Probe, Fingerprint | None]


def choose_probes(answers: Mapping[str, Answers]) -> list[Probe]:
    """A few probes on which every mistake, by name, fails, and no two fail alike, as far as any do that.

    Greedy: again and again the probe that serves the most needs that are left.
    """
    candidates = list(dict.fromkeys(probe for each in answers.values() for probe in each))
    names = list(answers)
    needs: dict[tuple[str, ...], int] = {}
    serves: dict[Probe, set[tuple[str, ...]]] = {probe: set() for probe in candidates}
    for i, name in enumerate(names):
        for probe in candidates:
            if answers[name].get(probe) is not None:
                serves[probe].add((name,))
            for other in names[:i]:
                if _differ(answers[name].get(probe), answers[other].get(probe)):
                    serves[probe].add((name, other))
    for served in serves.values():
        for need in served:
            needs[need] = min(needs.get(need, 0) + 1, ENOUGH if len(need) == 1 else 1)
    chosen: list[Probe] = []
    while any(needs.values()):
        best = max(
            (probe for probe in candidates if probe not in chosen),
            key=lambda probe: sum(needs[need] > 0 for need in serves[probe]),
        )
        for need in serves[best]:
            needs[need] = max(needs[need] - 1, 0)
        chosen.append(best)
    return sorted(chosen, key=candidates.index)


def case_digest(case: Mapping[str, Any]) -> str:
    """Equal for drawn arguments that are equal to the last bit."""
    digest = hashlib.sha256()
    _feed(digest, dict(case))
    return digest.hexdigest()[:12]


def _differ(a: Fingerprint | None, b: Fingerprint | None) -> bool:
    if a is None or b is None:
        return a is not b
    return not a.matches(b)


def _feed(digest: Any, x: Any) -> None:
    digest.update(f"<{type(x).__name__}>".encode())
    if isinstance(x, torch.Tensor):
        digest.update(f"{x.dtype} {tuple(x.shape)}".encode())
        flat = x.detach().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    elif isinstance(x, torch.Generator):
        _feed(digest, x.get_state())
    elif isinstance(x, dict):
        for key, item in x.items():
            _feed(digest, key)
            _feed(digest, item)
    elif isinstance(x, list | tuple):
        for item in x:
            _feed(digest, item)
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        for field in dataclasses.fields(x):
            _feed(digest, getattr(x, field.name))
    elif isinstance(x, bool | int | float | str | None):
        digest.update(repr(x).encode())

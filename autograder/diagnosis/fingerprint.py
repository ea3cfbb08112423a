"""A wrong answer in a few numbers, which cannot be turned back into an answer.

Two submissions that make the same mistake fail the same check on the same case at the same assertion,
and with the same wrong values, whatever the style that they are written in. A tensor is kept as one
weighted sum of its entries: enough to tell it from others, and nothing that anybody could hand in.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis.errors import UnsatisfiedAssumption

from autograder.checks.failure import CheckFailure
from autograder.checks.judged import last_judged
from autograder.errors import ModuleProblem, StudentError, WorkerLost, is_a_stub
from autograder.trials import FAILURES, Body

# Ways to compute the same wrong thing differ by rounding; other mistakes do not come this close.
_CLOSE = 1e-3


@dataclass(frozen=True)
class Fingerprint:
    """How a case fails: `kind` at which assertion, `total` a weighted sum of the values that are wrong, and
    `size` the same of their magnitudes."""

    kind: str
    total: float = 0.0
    size: float = 0.0

    def matches(self, other: Fingerprint) -> bool:
        near = _CLOSE * max(self.size, other.size) + 1e-9
        return self.kind == other.kind and abs(self.total - other.total) <= near


def fingerprint(body: Body, arguments: Mapping[str, Any]) -> Fingerprint | None:
    """How `body`, a check, fails on the case in its `arguments`; None where it does not.

    Raises what is no answer of the submission to the case: an exercise not written, a module that cannot be
    imported, a lost worker.
    """
    with last_judged() as last:
        try:
            body(**arguments)
        except UnsatisfiedAssumption:
            return None
        except (ModuleProblem, WorkerLost):
            raise
        except NotImplementedError as error:
            if is_a_stub(error):
                raise
            return _of("NotImplementedError", str(error)[:200], values=[])
        except CheckFailure as failure:
            values = list(_numbers(last.value))
            texts = [f"{label} {text}" for label, text in failure.rows]
            if values:
                # Values say it better than texts do, in which they are rounded and counted.
                texts = [re.sub(r"[\d.]+", "…", texts[0])] if texts else []
            return _of("CheckFailure", last.what, *texts, values=values)
        except FAILURES as error:
            kind = error.kind if isinstance(error, StudentError) else type(error).__name__
            return _of(kind, str(error)[:200], values=[])
    return None


def _of(*texts: str, values: list[torch.Tensor]) -> Fingerprint:
    total = size = 0.0
    parts = list(texts)
    for value in values:
        parts.append(f"{value.dtype} {tuple(value.shape)}")
        flat = value.detach().to(torch.float64).flatten()
        finite = flat.isfinite()
        parts.append(f"{int(finite.sum())}")
        flat = torch.where(finite, flat, 0.0)
        # The golden ratio's multiples never repeat: no two entries weigh the same.
        weights = 0.5 + torch.frac(torch.arange(1, len(flat) + 1, dtype=torch.float64) * math.sqrt(1.25))
        total += float((weights * flat).sum())
        size += float((weights * flat.abs()).sum())
    kind = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return Fingerprint(kind, _short(total), _short(size))


def _numbers(value: Any) -> Iterator[torch.Tensor]:
    """The tensors and numbers in what was judged."""
    if isinstance(value, torch.Tensor):
        yield torch.view_as_real(value) if value.is_complex() else value
    elif isinstance(value, bool | int | float):
        yield torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)


def _short(x: float) -> float:
    return float(f"{x:.7g}")

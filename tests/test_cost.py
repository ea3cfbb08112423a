"""Cost is counted alike in this process and in a worker, and work that grows too fast is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

if sys.platform != "linux":
    pytest.skip("workers need Linux", allow_module_level=True)

from autograder.checks import CheckFailure, check_cost_in_proportion
from autograder.counting import counting
from autograder.importing import SubmissionImporter
from autograder.reach import WORKER_LIMITS
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.worker.client import TimeLimit, Zygote
from autograder.worker.links import LiveLink
from autograder.worker.reached import RemoteSubmission
from autograder.worker.remote import RemoteStudent

SOURCE = """
import torch
from torch import nn


def doubled(x):
    y = 2 * x
    return y[:, None][: len(y), 0]


def pairs(x):
    return (x[:, None] - x[None, :]).sum(1)


def sparse_product(x):
    n = len(x)
    diagonal = torch.sparse_coo_tensor(torch.arange(n).repeat(2, 1), torch.ones(n), (n, n))
    return torch.sparse.mm(diagonal, x[:, None])[:, 0]


def looked_up(x):
    out = torch.zeros_like(x)
    for i in range(len(x)):
        out[i] += x[torch.arange(len(x)) == i].sum()
    return out


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x[:, None] * self.w
"""


@pytest.fixture(scope="module", params=["in this process", "in a worker"])
def student(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "in this process":
        importer = SubmissionImporter({"costly": SOURCE}, {"costly": "costly.py"})
        yield importer.load("costly")
        importer.remove()
        return
    submission = Submission("student", "unit", Path("/submitted/student/unit"), {"costly": SOURCE}, {})
    with Zygote() as zygote:
        remote = RemoteSubmission(zygote, submission, Rules(), WORKER_LIMITS)
        yield RemoteStudent("costly", LiveLink(remote, "costly", TimeLimit(cpu=1)))
        remote.close()


def elements(call: Any, *args: Any) -> int:
    with counting() as cost:
        call(*args)
    return cost.elements


def test_what_is_made_is_counted_and_views_are_not(student):
    assert elements(student.doubled, torch.ones(7)) == 7
    assert elements(student.pairs, torch.ones(7)) == 7 * 7 + 7


def test_indices_and_masks_are_not_counted(student):
    assert elements(student.doubled, torch.ones(7, dtype=torch.int64)) == 0
    assert elements(student.looked_up, torch.ones(50)) < 300


def test_of_a_sparse_matrix_what_it_holds_is_counted(student):
    assert elements(student.sparse_product, torch.ones(50)) < 400


def test_a_call_outside_is_not_counted(student):
    with counting() as cost:
        pass
    student.pairs(torch.ones(7))
    assert cost.elements == 0


def test_modules_are_counted(student):
    assert elements(student.Layer(), torch.ones(5)) == 15


def test_work_in_proportion_passes_and_more_is_told(student):
    check_cost_in_proportion(
        lambda n: student.doubled(torch.ones(n)), 20, 160, of="nodes", because="each is doubled once"
    )
    with pytest.raises(CheckFailure) as raised:
        check_cost_in_proportion(
            lambda n: student.pairs(torch.ones(n)), 20, 160, of="nodes", because="each is used once"
        )
    text = str(raised.value)
    assert "grows faster than the number of nodes" in text
    assert "20 nodes to 160, 8 times as many" in text

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

from autograder.checks import CheckFailure, check_cost_growth
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


def row_by_row(x):
    return torch.stack([2 * row for row in x])


def longer_and_longer(x):
    out = x[:0]
    for row in x:
        out = torch.cat([out, row[None]])
    return out


def steps(lengths, size):
    return torch.arange(size) < lengths[:, None]


def square_of_steps(lengths, size):
    return torch.ones(size, size, dtype=torch.bool).tril()[lengths - 1]


class Memory:
    def __init__(self):
        self.seen = torch.zeros(0)


def remembered(x, memory):
    memory.seen = torch.cat([memory.seen, x])
    return x.exp()


def read_again(x, memory):
    memory.seen = torch.cat([memory.seen, x])
    return memory.seen.exp()[-len(x):]


def without_tensors(x):
    return sum(x.tolist())


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


def test_operations_are_counted_views_included_and_masks_apart(student):
    x, lengths = torch.ones(7), torch.tensor([1, 2])
    with counting() as cost:
        student.doubled(x)
    # a product, and the views of two indexings
    assert (cost.elements, cost.discrete, cost.operations) == (7, 0, 3)
    with counting() as cost:
        student.steps(lengths, 5)
    assert (cost.elements, cost.discrete, cost.operations) == (0, 5 + 2 * 5, 3)


def test_what_the_check_itself_computes_between_calls_is_counted_alike(student):
    with counting() as cost:
        x = torch.ones(3)
        student.doubled(x + x)
    assert cost.elements == 3 + 3 + 3


def numbers(size: int) -> tuple[torch.Tensor]:
    return (torch.arange(size, dtype=torch.float64),)


def failure(f: Any, inputs: Any = numbers, small: int = 16, large: int = 64, **kwargs: Any) -> str:
    """What the check says of `f`, or nothing."""
    try:
        check_cost_growth(f, inputs, small, large, **{"of": "rows", "because": "of the law", **kwargs})
    except CheckFailure as raised:
        return str(raised)
    return ""


def test_work_in_proportion_passes_in_one_operation_or_in_a_loop(student):
    assert not failure(student.doubled)
    assert not failure(student.row_by_row)
    assert not failure(student.without_tensors)


def test_work_for_every_pair_is_told_with_what_was_expected(student):
    assert failure(student.pairs).splitlines() == [
        "smallest case  16 rows, then 64",
        "wrong          the work grows faster than the number of rows",
        "expected       about 4 times the work for 4 times the rows",
        "got            15.3 times the work: 272 elements made, then 4,160",
        "advice         operations: 4, then 4: not more of them, but larger tensors; look at the shapes",
        "because        of the law",
    ]


def test_a_loop_that_makes_ever_more_is_told_with_its_operations(student):
    told = failure(student.longer_and_longer)
    assert "got            15.3 times the work: 136 elements made, then 2,080" in told
    assert "advice         operations: " in told
    assert "a loop costs no points, but look at what each of its turns makes" in told


def test_quadratic_work_passes_where_it_is_asked_for(student):
    assert not failure(student.pairs, growth="quadratic")


def test_work_that_should_stay_the_same(student):
    def after(size):
        memory = student.Memory()
        student.remembered(torch.ones(size), memory)
        return torch.ones(40), memory

    assert not failure(student.remembered, after, growth="constant")
    assert not failure(student.row_by_row, lambda size: (torch.ones(3),), growth="constant")
    told = failure(student.read_again, lambda size: (torch.ones(1), after(size)[1]), growth="constant")
    assert "wrong          the work grows with the number of rows" in told
    assert "expected       about the same work for 4 times the rows" in told


def test_masks_are_judged_where_they_are_the_exercise(student):
    def batch(size):
        return torch.tensor([1, size]), size

    for with_masks in (False, True):
        assert not failure(student.steps, batch, with_masks=with_masks)
    assert not failure(student.square_of_steps, batch)
    assert failure(student.square_of_steps, batch, with_masks=True)


def test_nothing_made_for_the_small_size_is_no_reason_to_fail(student):
    assert not failure(student.doubled, lambda size: (torch.ones(size if size > 16 else 0),))

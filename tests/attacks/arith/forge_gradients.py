"""Right values, and gradients of any shape but the right one."""

import itertools
import sys

import torch
from honest import noise, scale  # noqa: F401

case = sys.modules["autograder.worker.case"]
wire = sys.modules["autograder.worker.wire"]
SHAPES = itertools.cycle([(7,), (), (0,), (1, 1, 1)])


def vjp(self, call, cotangents):
    tensors = [torch.full(next(SHAPES), float("nan")) for _ in call.inputs]
    return wire.Gradients([wire.TensorRef(i) for i in range(len(tensors))]), tensors


case.Case._vjp = vjp

"""Sound frames whose content is not: one kind a call."""

import itertools
import sys

import torch

case = sys.modules["autograder.worker.case"]
wire = sys.modules["autograder.worker.wire"]


def description(*names):
    state = wire.ModuleState(0, True, {name: wire.TensorRef(0) for name in names})
    return wire.ModuleDescription(state, list(names))


ref, three = wire.TensorRef(0), torch.ones(3, dtype=torch.float64)
ANSWERS = itertools.cycle(
    [
        wire.Returned(wire.TensorRef(7)),
        wire.Returned(wire.TensorRef(-1)),
        wire.Returned(wire.TensorRef(0, (10**12,))),
        wire.Returned(wire.TensorRef(0, (1, 1, 1))),
        wire.Returned(wire.DictOf([(wire.ListOf([]), 1)])),
        wire.Returned(wire.DictOf([(ref, 1)])),
        wire.Returned(wire.DictOf([(wire.BigInt(str(i * (2**61 - 1))), i) for i in range(5000)])),
        wire.Returned(wire.BigInt("x")),
        wire.Returned(wire.Float("zero")),
        wire.Returned(wire.CallbackRef(0)),
        wire.Returned(wire.GeneratorRef(0)),
        wire.Returned("x" * (8 << 20)),
        wire.Returned(wire.ObjectRef(0, "not a name \x1b[31m")),
        wire.Returned(wire.ObjectRef(0), [description("forward", "__class__")]),
        wire.Returned(wire.ObjectRef(0), [description("a", "a.b")]),
        wire.Returned(wire.ObjectRef(0), [description(".".join("a" * 100_000))]),
        wire.Returned(wire.ObjectRef(0), [description(*[f"{i}." * 400 + "x" for i in range(2000)])]),
        wire.Returned(ref, mutated=[(99, ref)]),
        wire.Returned(ref, mutated=[(0, ref)]),
        wire.Returned(ref, states=[wire.ModuleState(5, True, {"weight": ref})]),
        wire.Gradients([ref]),
        wire.Raised([], "", []),
        wire.Raised(["Skipped", "Exit", "KeyboardInterrupt"], "\x1b[2J\ud7ff", []),
        wire.Raised(["StopIteration"] * 100_000, "x" * 1_000_000, [wire.Frame("f", -1, "\n", "\r")] * 10_000),
    ]
)


perform = case.Case.perform


def forged(self, step, tensors, base):
    return (next(ANSWERS), [three]) if isinstance(step, wire.Call) else perform(self, step, tensors, base)


case.Case.perform = forged


def scale(x, factor):
    return None


noise = scale

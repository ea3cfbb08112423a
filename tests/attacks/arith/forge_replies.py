"""Answers that nobody asked for: early ones, late ones, and for every script there may be."""

import os
import sys

import torch

wire = sys.modules["autograder.worker.wire"]
frames = sys.modules["autograder.worker.frames"]


def answer(number, value, *tensors):
    os.write(3, frames.pack(wire.Reply(number, [wire.Returned(value)], [0], "all checks passed"), tensors))


def scale(x, factor):
    for number in (*range(-25, 60), 2**63 - 1, -(2**63)):
        answer(number, wire.TensorRef(0), torch.zeros_like(x))
    return x


def noise(n, generator):
    answer(0, wire.BigInt("not a number"))
    answer(0, wire.Float("nan"))
    return

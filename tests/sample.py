"""A submission's module for test_worker: imported here as it is, and sent to a worker as text."""

import os
import time

import torch
from torch import nn


def matmul(x, y):
    return x @ y


def several(x, y=None):
    return x * 2, {"sum": [x.sum(), None, 3], (1, 2): (x.detach(), "text")}, y


def same_twice(x):
    y = x.exp()
    return y, y


def identity(x):
    return x


def unused(x, y):
    return x * 3


def cube_then_sine(x):
    return (x**3).sin()


def in_place(x, y):
    x.add_(1)
    y[0] = 7
    return x.sum()


def draw(n, generator):
    return torch.randn(n, generator=generator)


def draw_globally(n):
    return torch.randn(n)


def told(*args):
    return [type(arg).__name__ for arg in args]


def layout(x):
    return x.stride(), x.is_contiguous(), x.requires_grad, str(x.dtype)


def are_one(a, b):
    return a is b


def fail(kind):
    if kind == "own":
        raise OwnError("an own one")
    if kind == "own base":
        raise type("Rude", (BaseException,), {})("no Exception at all")
    if kind == "syntax":
        exec("x = (")
    raise getattr(__import__("builtins"), kind)(f"a {kind}")


class OwnError(KeyError):
    pass


def fail_in_backward(x):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            raise ValueError("backward is broken")

    return Broken.apply(x)


def call(f, *args):
    return f(*args)


def call_for_ever(f):
    while True:
        f(1)


def call_wrongly(f):
    try:
        return f()
    except RuntimeError as error:
        return str(error)


def hello():
    print("hello")
    return 1


class Net(nn.Module):
    def __init__(self, n, tied=False):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(n, n), nn.BatchNorm1d(n))
        self.frozen = nn.Parameter(torch.arange(float(n)), requires_grad=False)
        self.register_buffer("kept", torch.ones(n))
        self.register_buffer("transient", torch.full((n,), 2.0), persistent=False)
        self.out = nn.Linear(n, n, bias=False)
        if tied:
            self.out.weight = self.inner[0].weight
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.out(self.inner(x) + self.frozen) * self.kept * self.transient

    def count(self):
        return self.calls

    def halves(self, x, y):
        return self(x) / 2, y / 2


def train(model, x, y, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    losses = []
    for _ in range(steps):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


class Stack:
    def __init__(self):
        self.items = []

    def push(self, x):
        self.items.append(x)
        return self

    def pop(self):
        return self.items.pop()


def pop(stack):
    return stack.pop()


def spin():
    while True:
        pass


def sleep():
    time.sleep(1000)


def leave(status):
    os._exit(status)


def hang_up():
    os.close(3)
    time.sleep(1000)


STATE = []


def remember(x):
    STATE.append(x)
    return len(STATE)

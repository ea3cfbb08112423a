"""Small pieces of student code about devices: planted bugs that a GPU shows, correct pieces that it runs.

`CASES` holds them all. A case runs on CPU inputs, on the simulated device and on a real one alike.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

BATCH, TIME, DIM, WORDS, NODES, CLASSES = 2, 5, 8, 11, 6, 4


def _edges() -> torch.Tensor:
    return torch.tensor([[0, 1, 2, 3, 4, 5, 1], [1, 2, 3, 4, 5, 0, 0]])


INPUTS: dict[str, Callable[[], Any]] = {
    "sequence": lambda: torch.randn(BATCH, TIME, DIM),
    "query": lambda: torch.randn(BATCH, TIME, DIM),
    "key": lambda: torch.randn(BATCH, TIME, DIM),
    "value": lambda: torch.randn(BATCH, TIME, DIM),
    "ids": lambda: torch.randint(0, WORDS, (BATCH, TIME)),
    "nodes": lambda: torch.randn(NODES, DIM),
    "edges": _edges,
    "graph_of_node": lambda: torch.tensor([0, 0, 0, 1, 1, 1]),
    "logits": lambda: torch.randn(BATCH, CLASSES),
    "labels": lambda: torch.randint(0, CLASSES, (BATCH,)),
    "lengths": lambda: torch.tensor([3, 5]),
    "descending_lengths": lambda: torch.tensor([5, 3]),
    "steps": lambda: torch.tensor([1, 3]),
    "image": lambda: torch.randn(2, 3, 8, 8),
    "generator": lambda: torch.Generator().manual_seed(5),
}


@dataclass(frozen=True)
class Case:
    """`make` gives the function or module; `inputs` names what it is called with."""

    name: str
    kind: Literal["bug", "correct"]
    inputs: tuple[str, ...]
    make: Callable[[], Callable[..., Any]]
    file: str
    needs: str | None = None

    def draw(self) -> tuple[Callable[..., Any], list[Any]]:
        """The code and its inputs on the CPU, the same on every call; floats require a gradient."""
        torch.manual_seed(0)
        inputs = [INPUTS[name]() for name in self.inputs]
        for x in inputs:
            if isinstance(x, torch.Tensor) and x.is_floating_point():
                x.requires_grad_()
        torch.manual_seed(1)
        return self.make(), inputs


CASES: list[Case] = []


def _case(kind: Literal["bug", "correct"], inputs: tuple[str, ...], builds: bool, needs: str | None) -> Any:
    def register(piece: Any) -> Any:
        builds_itself = builds or (inspect.isclass(piece) and issubclass(piece, nn.Module))
        make = piece if builds_itself else lambda: piece
        file = inspect.getsourcefile(piece)
        assert file is not None
        assert piece.__name__ not in {case.name for case in CASES}, piece.__name__
        CASES.append(Case(piece.__name__, kind, inputs, make, file, needs))
        return piece

    return register


def bug(*inputs: str, builds: bool = False, needs: str | None = None) -> Any:
    """Registers a function, an nn.Module, or (`builds`) a function that makes a module."""
    return _case("bug", inputs, builds, needs)


def correct(*inputs: str, builds: bool = False, needs: str | None = None) -> Any:
    """The same for a piece that runs on a GPU as it does on the CPU."""
    return _case("correct", inputs, builds, needs)


for _module in (
    "bugs_constants",
    "bugs_layers",
    "bugs_indexing",
    "bugs_transfers",
    "bugs_course",
    "correct_tensors",
    "correct_layers",
    "correct_graphs",
    "correct_training",
    "correct_runtime",
    "correct_course",
):
    importlib.import_module(f"{__name__}.{_module}")

"""The places by the names that a grader gives its workers."""

from __future__ import annotations

from collections.abc import Collection

import torch

from autograder.device.dtypes import Autocast, Converted
from autograder.device.place import HOST, Place
from autograder.device.simulation import Simulation

GPU = "gpu"
AUTOCAST = "autocast"


def place_called(name: str, files: Collection[str]) -> Place:
    """The CPU (""), the simulated GPU, the CPU in a dtype of that name or under autocast.

    `files` are the submission's file names, as they stand in tracebacks.
    """
    if name == "":
        return HOST
    if name == GPU:
        return Simulation(files)
    if name == AUTOCAST:
        return Autocast()
    return Converted(getattr(torch, name))

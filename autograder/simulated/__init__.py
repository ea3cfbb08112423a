"""A simulated GPU: CUDA's rules about devices on a machine without CUDA, with real values."""

from __future__ import annotations

from autograder.simulated.device import SimulatedDevice
from autograder.simulated.log import DeviceMismatch, NotSimulated, Transfer, Violation
from autograder.simulated.moving import is_on_device, to_device, to_host

__all__ = [
    "DeviceMismatch",
    "NotSimulated",
    "SimulatedDevice",
    "Transfer",
    "Violation",
    "is_on_device",
    "to_device",
    "to_host",
]

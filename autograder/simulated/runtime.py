"""What a program asks of `torch.cuda` and `torch.accelerator`, answered for one simulated device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch.functional
from torch.autograd.function import BackwardCFunction

from autograder.simulated.generator import Generator
from autograder.simulated.gradients import checked_first_gradients, checked_gradients
from autograder.simulated.tensor import CUDA, DeviceTensor


def _always(value: Any) -> Callable[..., Any]:
    """A function of its own for every name: torch.compile's tables want no object twice."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        return value

    return answer


class _Stream:
    """Stands for a stream, an event or a device to enter: there is nothing to wait for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def record(self, *args: Any) -> None:
        pass

    def wait(self, *args: Any) -> None:
        pass

    wait_stream = wait_event = record_event = wait

    def synchronize(self) -> None:
        pass

    def query(self) -> bool:
        return True

    def is_capturing(self) -> bool:
        return False

    def elapsed_time(self, other: _Stream) -> float:
        return 0.0


def _pin_memory(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    if isinstance(tensor, DeviceTensor):
        raise RuntimeError(f"cannot pin '{tensor.type()}' only dense CPU tensors can be pinned")
    return tensor


# The device's default generator is the CPU's: seeding it, too, would seed it twice.
_NOTHING = """_lazy_init init synchronize empty_cache ipc_collect set_device reset_peak_memory_stats
    reset_max_memory_allocated reset_accumulated_memory_stats manual_seed manual_seed_all seed seed_all
    set_rng_state set_rng_state_all set_sync_debug_mode"""
_ZERO = """memory_allocated max_memory_allocated memory_reserved max_memory_reserved current_device
    get_sync_debug_mode"""
_TRUE = "is_available is_initialized is_bf16_supported"
_PROPERTIES = SimpleNamespace(
    name="simulated", major=8, minor=0, total_memory=2**33, multi_processor_count=1, warp_size=32
)


def _patches() -> Iterator[tuple[Any, str, Any]]:
    """Owner, name and what it is while the device is entered."""
    cuda, accelerator = torch.cuda, torch.accelerator
    for names, value in ((_NOTHING, None), (_ZERO, 0), (_TRUE, True)):
        for name in names.split():
            yield cuda, name, _always(value)
    yield cuda, "device_count", _always(1)
    yield cuda, "get_device_name", _always("simulated")
    yield cuda, "get_device_capability", _always((8, 0))
    yield cuda, "get_device_properties", _always(_PROPERTIES)
    yield cuda, "mem_get_info", _always((2**33, 2**33))
    yield cuda, "current_stream", _always(_Stream())
    yield cuda, "default_stream", _always(_Stream())
    yield cuda, "get_rng_state", lambda *args, **kwargs: torch.get_rng_state()
    yield cuda, "get_rng_state_all", lambda: [torch.get_rng_state()]
    for name in ("device", "device_of", "stream", "Stream", "Event"):
        yield cuda, name, type(name, (_Stream,), {})
    yield accelerator, "is_available", _always(True)
    yield accelerator, "device_count", _always(1)
    yield accelerator, "current_accelerator", _always(torch.device(CUDA.type))
    yield accelerator, "current_device_index", _always(0)
    yield accelerator, "current_stream", _always(_Stream())
    for name in ("synchronize", "set_device_index", "set_stream"):
        yield accelerator, name, _always(None)
    yield torch.backends.cudnn, "is_acceptable", _always(False)  # or recurrent layers warn that it is missing
    yield torch, "Generator", Generator
    yield torch.Tensor, "pin_memory", _pin_memory
    yield torch.autograd, "_make_grads", checked_first_gradients(torch.autograd._make_grads)
    yield BackwardCFunction, "apply", checked_gradients(BackwardCFunction.apply)
    # Python functions hand themselves to the function mode, and run without it. Let them run with it instead,
    # so that it sees what they call; a backward, too, in which a student's own code runs. (What asks
    # torch.overrides itself still sees the mode: so nn.TransformerEncoder's fused path is not taken.)
    for module in (torch.autograd, torch._tensor, torch.functional, torch.nn.functional):
        for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"):
            if hasattr(module, name):
                yield module, name, _always(False)


@contextmanager
def simulated_runtime() -> Iterator[None]:
    """Patch all of it, and restore it on the way out."""
    absent = object()
    before: list[tuple[Any, str, Any]] = []
    lifts_only_cpu = torch._C._only_lift_cpu_tensors()
    try:
        for owner, name, value in _patches():
            before.append((owner, name, vars(owner).get(name, absent)))
            setattr(owner, name, value)
        # torch.tensor(…, device="cuda") makes it on the CPU, and then calls an operator to move it.
        torch._C._set_only_lift_cpu_tensors(True)
        yield
    finally:
        torch._C._set_only_lift_cpu_tensors(lifts_only_cpu)
        for owner, name, value in reversed(before):
            if value is absent:
                delattr(owner, name)
            else:
                setattr(owner, name, value)

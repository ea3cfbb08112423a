"""Between PyTorch's Python functions and its C++ code: names of the device, `data`, autocast, errors."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from autograder.simulated import autocast, log
from autograder.simulated.rules import generator_breach
from autograder.simulated.tensor import STAND_IN, DeviceTensor, is_cuda, set_data

_GET = "__get__"
_SET_DATA = torch.Tensor.data.__set__  # type: ignore[attr-defined]

# Composite functions of C++ check devices before any operator runs, and speak of the stand-in.
_MISMATCH = re.compile(
    r"same device|on the CPU|to be on cpu|is on CPU, but expected|to have \S+ Device, but got|"
    r"Input type .* and weight type",
    re.IGNORECASE,
)
_STAND_IN = re.compile(r"lazy:0|'lazy'|'Lazy' backend|\blazy devices?\b|\bon lazy\b|\bLazy\w+Type\b")


class Functions(TorchFunctionMode):
    """While it is entered, "cuda" reaches C++ as the stand-in, since a build without CUDA knows none."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name == _GET:
            return function(*args)
        kwargs = dict(kwargs or {})
        if kwargs.get("device") is not None and is_cuda(kwargs["device"]):
            kwargs["device"] = STAND_IN
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if name == "__set__" and function == _SET_DATA:
            return set_data(*args)
        if function is torch._has_compatible_shallow_copy_type:
            # Module.to asks it: a parameter stays the same object, as it does between the CPU and CUDA.
            return True
        if name == "cuda" and isinstance(args[0], torch.Tensor):
            is_cuda(next(iter(args[1:]), None))  # a second device is an error
            return args[0].to(STAND_IN)
        if name == "to" and len(args) > 1 and _names_the_device(args[1]):
            args = (args[0], STAND_IN, *args[2:])
        if function in (torch.tensor, torch.as_tensor) and isinstance(args[0], list | tuple):
            # Tensors of one number in a list are read one by one; the result lies where it is told to.
            args = (tree_map_only(DeviceTensor, _number, args[0]), *args[1:])
        if name == "ctc_loss":
            # CUDA's takes the lengths to the host; the common one, which the stand-in gets, does not.
            lengths = (x.tolist() if isinstance(x, torch.Tensor) else x for x in args[2:4])
            args = (*args[:2], *lengths, *args[4:])
        if kwargs.get("generator") is not None:
            # Here, since to operators C++ hands a generator without its Python class.
            message = generator_breach(kwargs["generator"], kwargs.get("device"), tree_leaves((args, kwargs)))
            if message is not None:
                raise log.current().breach(name, message)
        if torch.is_autocast_enabled("cuda"):
            args, kwargs = autocast.cast(name, args, kwargs)
        try:
            return function(*args, **kwargs)
        except (log.DeviceMismatch, log.NotSimulated):
            raise
        except Exception as error:
            if (said := _in_words_of_cuda(name, error)) is not None:
                raise said from error
            raise


def _number(x: DeviceTensor) -> Any:
    return x.item() if x.dim() == 0 else x


def _names_the_device(x: Any) -> bool:
    return isinstance(x, (str, int, torch.device)) and is_cuda(x)


def _in_words_of_cuda(name: str, error: Exception) -> Exception | None:
    """The error that a CUDA build raises instead of one about the stand-in; None for any other."""
    message = str(error)
    if _STAND_IN.search(message) is None:
        return None
    said = message.replace("lazy", "cuda").replace("Lazy", "CUDA")
    return log.current().breach(name, said) if _MISMATCH.search(message) else log.NotSimulated(said)

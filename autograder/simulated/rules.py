"""CUDA's rules: which operators may be given tensors of different devices, and which make the host wait.

An operator not named here follows the common rule: all its tensors on one device. That is the default
(`device_check: ExactSame`) of native_functions.yaml, from which a check is generated that runs before the
kernel. Sources are PyTorch's own, version 2.13: that file, packaged with torchgen, and the kernels that it
names, in aten/src/ATen/native.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import torch

from autograder.simulated.tensor import CUDA, DeviceTensor, is_cuda

aten = torch.ops.aten

# Copying is what may cross devices: `copy_` is declared with NoCheck, and the others end in it. What they
# return lies where their first argument does.
COPIES = frozenset(
    {
        aten.copy_.default,
        aten.copy.default,
        aten._copy_from.default,
        aten._to_copy.default,
        aten._foreach_copy_.default,
        aten.slice_scatter.default,
        aten.select_scatter.default,
        aten.diagonal_scatter.default,
        aten.as_strided_scatter.default,
    }
)

# `fill_` and `index_fill_` read a value from the other device by `item()` (Fill.cpp,
# TensorAdvancedIndexing.cpp); `masked_fill_` takes one from the host, but no mask (masked_fill__cuda).
# The number is the value's position.
FILLS = {
    aten.fill.Tensor: 1,
    aten.fill_.Tensor: 1,
    aten.index_fill.int_Tensor: 3,
    aten.index_fill_.int_Tensor: 3,
    aten.masked_fill.Tensor: 2,
    aten.masked_fill_.Tensor: 2,
}
MASKED_FILLS = frozenset({aten.masked_fill.Tensor, aten.masked_fill_.Tensor})

# "indices should be either on cpu or on the same device as the indexed tensor": make_info, IndexingUtils.h.
INDEXINGS = frozenset({aten.index.Tensor, aten._unsafe_index.Tensor})
INDEX_PUTS = frozenset(
    {
        aten.index_put.default,
        aten.index_put_.default,
        aten._index_put_impl_.default,
        aten._unsafe_index_put.default,
    }
)

# Lengths that the kernel reads on the host (PackedSequence.cpp). The number is their position.
HOST_LENGTHS = {
    aten._pack_padded_sequence.default: 1,
    aten._pad_packed_sequence.default: 1,
    aten._pack_padded_sequence_backward.default: 2,
}
# What they return that lies on the host: the batch sizes, the lengths.
HOST_RESULTS = {aten._pack_padded_sequence.default: 1, aten._pad_packed_sequence.default: 1}

# Take tensors of any device: lengths and targets are brought to the host (LossCTC.cpp), probabilities to the
# device (bernoulli_ in Distributions.cu), sizes are all that is read (`is_same_size`).
ANY_DEVICE = frozenset(
    {
        aten._ctc_loss.Tensor,
        aten._ctc_loss_backward.Tensor,
        aten.bernoulli_.Tensor,
        aten.is_same_size.default,
    }
)

# Pointwise by tag, and yet checked for one device before the kernel (no NoCheck in native_functions.yaml);
# `clamp` with tensors builds its iterator without `allow_cpu_scalars` (TensorCompare.cpp).
STRICT_POINTWISE = frozenset(
    "nextafter nextafter_ gcd lcm logaddexp logaddexp2 igamma igamma_ igammac igammac_ equal clamp_min_ "
    "clamp_max_ native_dropout_backward".split()
)
STRICT_CLAMPS = frozenset({aten.clamp.Tensor, aten.clamp_.Tensor, aten.clamp.Tensor_out})

# Not tagged pointwise, but NoCheck and made of binary iterators (BinaryOps.cpp, Loss.cpp).
ALSO_POINTWISE = frozenset(
    "floor_divide floor_divide_ copysign_ heaviside_ mse_loss smooth_l1_loss "
    "binary_cross_entropy_with_logits special_xlogy dist eq_ ne_ ge_ le_ gt_ lt_ __iand__ __ior__".split()
)
# `where` brings every zero-dimensional tensor to the device (TensorCompare.cpp); others take one at most.
ANY_NUMBER_OF_SCALARS = frozenset({"where"})

# Kernels that must know on the host how large their result is, so they wait for the device.
READS = frozenset(
    "_local_scalar_dense nonzero masked_select _unique _unique2 unique_dim unique_consecutive "
    "unique_dim_consecutive bincount equal".split()
)


def name_of(operator: Any) -> str:
    """ "add" for `aten.add.Tensor`."""
    return operator._schema.name.split("::")[1]


def breach(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> str | None:
    """What a CUDA build would raise for these arguments; None where it would run.

    `leaves` are the arguments and what lies within them.
    """
    if operator in HOST_LENGTHS:
        if isinstance(args[HOST_LENGTHS[operator]], DeviceTensor):
            return "'lengths' argument should be a 1D CPU int64 tensor, but got 1D cuda:0 Long tensor"
        return None
    tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
    on_host = [x for x in tensors if not isinstance(x, DeviceTensor)]
    if not on_host or len(on_host) == len(tensors) or operator in COPIES or operator in ANY_DEVICE:
        return None
    if operator in INDEXINGS or operator in INDEX_PUTS:
        return _indexing_breach(operator, args)
    if operator in FILLS:
        return _fill_breach(operator, args)
    name = name_of(operator)
    if name.startswith("_foreach_"):
        # With lists on several devices they fall back to one call a tensor (ForeachUtils.h).
        wrongs = (_pointwise_breach(row, 1) for row in _rows(args, kwargs))
        return next((wrong for wrong in wrongs if wrong is not None), None)
    pointwise = torch.Tag.pointwise in operator.tags and name not in STRICT_POINTWISE
    if (pointwise or name in ALSO_POINTWISE) and operator not in STRICT_CLAMPS:
        targets = [x for x in written(operator, args, kwargs) if isinstance(x, torch.Tensor)]
        if any(not isinstance(x, DeviceTensor) for x in targets):
            return _two_devices()
        return _pointwise_breach(tensors, len(tensors) if name in ANY_NUMBER_OF_SCALARS else 1)
    return _two_devices(_first_elsewhere(operator, args, kwargs), name)


def transfer_kind(
    operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Literal["copy", "read"] | None:
    """Whether the operator makes the host wait for the device, by copying or by reading."""
    if operator is aten._to_copy.default:
        device = kwargs.get("device")
        return None if device is None or is_cuda(device) or not _on_device(args[0]) else "copy"
    if operator is aten.copy_.default:
        return "copy" if _on_device(args[1]) and not _on_device(args[0]) else None
    if operator in INDEXINGS or operator in INDEX_PUTS:
        # A mask becomes positions, by `nonzero`; unless one value is written, by `masked_fill_`.
        masks = [x for x in args[1] if _on_device(x) and x.dtype in (torch.bool, torch.uint8)]
        one_value = operator in INDEX_PUTS and not _on_device(args[2]) and args[2].numel() == 1
        return "read" if masks and not one_value else None
    if operator is aten.repeat_interleave.Tensor:
        return "read" if kwargs.get("output_size") is None else None
    return "read" if name_of(operator) in READS and any(_on_device(x) for x in args) else None


def _on_device(x: Any) -> bool:
    return isinstance(x, DeviceTensor)


def generator_breach(generator: torch.Generator, device: Any, leaves: list[Any]) -> str | None:
    """A kernel draws from a generator of its own device (`check_generator` in Generator.h).

    `device` is where the function was told to make its result, `leaves` are its arguments.
    """
    wanted = is_cuda(device) if device is not None else any(_on_device(x) for x in leaves)
    if (generator.device.type == CUDA.type) == wanted:
        return None
    names = ("cuda", "cpu") if wanted else ("cpu", "cuda")
    return "Expected a '{}' device type for generator but found '{}'".format(*names)


def _indexing_breach(operator: Any, args: tuple[Any, ...]) -> str | None:
    indexed, indices = args[0], [x for x in args[1] if x is not None]
    if not _on_device(indexed) and any(_on_device(x) for x in indices):
        return "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
    if operator in INDEXINGS:
        return None
    value, is_added = args[2], len(args) > 3 and args[3]
    if _on_device(value) == _on_device(indexed) or value.dim() == 0:
        return None
    # canDispatchToMaskedFill in TensorAdvancedIndexing.cpp: one value from the host, where one mask is True.
    masks = [x for x in indices if x.dtype in (torch.bool, torch.uint8) and _on_device(x)]
    if value.numel() == 1 and not _on_device(value) and len(masks) == len(indices) == 1 and not is_added:
        return None
    return _two_devices()


def _fill_breach(operator: Any, args: tuple[Any, ...]) -> str | None:
    position = FILLS[operator]
    others = [x for i, x in enumerate(args) if i != position and isinstance(x, torch.Tensor)]
    is_mixed = len({_on_device(x) for x in others}) > 1
    if operator in MASKED_FILLS and (is_mixed or not _on_device(others[0])):
        filled, mask = others
        return (
            "expected self and mask to be on the same device, "
            f"but got mask on {mask.device} and self on {filled.device}"
        )
    return _two_devices() if is_mixed else None


def _pointwise_breach(tensors: Iterable[Any], scalars_allowed: int) -> str | None:
    """A zero-dimensional CPU tensor counts as a number (compute_types in TensorIterator.cpp)."""
    tensors = [x for x in tensors if isinstance(x, torch.Tensor)]
    on_host = [x for x in tensors if not _on_device(x)]
    if len(on_host) in (0, len(tensors)):
        return None
    if any(x.dim() > 0 for x in on_host):
        return _two_devices()
    if len(on_host) > scalars_allowed:
        return "Trying to pass too many CPU scalars to non-CPU kernel!"
    return None


def _rows(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[list[Any]]:
    """What `_foreach_` calls see: the n-th tensors of all lists, and what is given to all of them."""
    arguments = [*args, *kwargs.values()]
    lists = [x for x in arguments if isinstance(x, (list, tuple)) and x and isinstance(x[0], torch.Tensor)]
    shared = [x for x in arguments if isinstance(x, torch.Tensor)]
    for row in zip(*lists, strict=False):
        yield [*row, *shared]


def written(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    """The arguments that the operator writes to: no number can stand for them."""
    for i, argument in enumerate(operator._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield args[i] if i < len(args) else kwargs.get(argument.name)


def _first_elsewhere(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """The name of the first argument that is not on the device of those before it."""
    first: bool | None = None
    for i, argument in enumerate(operator._schema.arguments):
        given = args[i] if i < len(args) else kwargs.get(argument.name)
        for x in given if isinstance(given, (list, tuple)) else [given]:
            if isinstance(x, torch.Tensor):
                first = _on_device(x) if first is None else first
                if _on_device(x) != first:
                    return argument.name
    return None


def _two_devices(argument: str | None = None, name: str = "") -> str:
    message = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
    if argument is None:
        return message
    return f"{message} (when checking argument for argument {argument} in method wrapper_CUDA_{name})"

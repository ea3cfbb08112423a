"""A tensor that says `cuda:0` and holds real values on the CPU."""

from __future__ import annotations

from typing import Any

import torch

from autograder.simulated import log

HOST = torch.device("cpu")
CUDA = torch.device("cuda", 0)
# What PyTorch's C++ code takes the tensors for: a device type that every build knows, without kernels of its
# own here, and whose backward runs in the calling thread, so that it works after an earlier backward too.
STAND_IN = torch.device("lazy", 0)


def is_cuda(device: Any) -> bool:
    """Whether it names the simulated device: "cuda", `torch.device("cuda:0")`, 0, or the stand-in.

    Raises RuntimeError for a second device, as a machine with one GPU does.
    """
    if device is None or isinstance(device, bool):
        return False
    if isinstance(device, int):
        kind, index = "cuda", device
    else:
        device = torch.device(device)
        kind, index = device.type, device.index or 0
    if kind == "cuda" and index > 0:
        raise RuntimeError("CUDA error: invalid device ordinal")
    return kind in (CUDA.type, STAND_IN.type)


class DeviceTensor(torch.Tensor):
    """A wrapper around `host`, a plain CPU tensor with the same shape, strides, dtype and values."""

    # The function mode of `SimulatedDevice` sees every call already.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    host: torch.Tensor

    @staticmethod
    def __new__(cls, host: torch.Tensor) -> DeviceTensor:
        if host.layout is torch.strided:
            # A wrapper cannot be lazily conjugated or negated itself.
            host = host.resolve_conj().resolve_neg()
        elif host.layout is not torch.sparse_coo:
            raise log.NotSimulated(f"tensors with layout {host.layout}")
        tensor: DeviceTensor = torch.Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            layout=host.layout,
            device=STAND_IN,
        )
        tensor.host = host
        return tensor

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        from autograder.simulated.dispatch import run  # it wraps in this class

        return run(operator, args, kwargs or {})

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def get_device(self) -> int:
        return 0

    def data_ptr(self) -> int:
        return self.host.data_ptr()

    def tolist(self) -> Any:
        log.current().transfer("tolist", "read")
        return self.host.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        message = (
            "can't convert cuda:0 device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )
        log.current().breach("numpy", message)
        raise TypeError(message)

    def type(self, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
        if dtype is None:
            return self.host.type().replace("torch.", "torch.cuda.", 1)
        if isinstance(dtype, str) and dtype.startswith("torch.cuda."):
            return self.to(torch.empty(0).type(dtype.replace("torch.cuda.", "torch.")).dtype)
        return super().type(dtype, non_blocking)

    def new(self, *args: Any, **kwargs: Any) -> torch.Tensor:  # type: ignore[override]
        """The old constructor: `h.new(1, batch, hidden)`, `h.new([1.0, 2.0])`."""
        if len(args) == 1 and not isinstance(args[0], (int, torch.Size)):
            return self.new_tensor(args[0])
        return self.new_empty(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> DeviceTensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"
            )
        if id(self) not in memo:
            memo[id(self)] = wrapped_like(self, self.host.clone())
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise log.NotSimulated("saving a tensor of the simulated device")

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        log.current().transfer("repr", "read")
        return repr(self.host.detach())[:-1] + ", device='cuda:0')"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else object.__format__(self, spec)


def wrapped_like(model: torch.Tensor, host: torch.Tensor) -> DeviceTensor:
    """`host` as a leaf on the device, a parameter if `model` is one, with its `requires_grad`."""
    tensor = DeviceTensor(host.detach())
    if isinstance(model, torch.nn.Parameter):
        tensor = torch.nn.Parameter(tensor, model.requires_grad)  # type: ignore[assignment]
    elif model.requires_grad:
        tensor.requires_grad_()
    return tensor


def set_data(tensor: torch.Tensor, value: torch.Tensor) -> None:
    """`tensor.data = value`, also where it takes the tensor to the other device: the object stays the same.

    A graph made before keeps the old tensor. Raises NotSimulated where C++ holds a weak reference to it.
    """
    if isinstance(tensor, DeviceTensor) and isinstance(value, DeviceTensor):
        torch.Tensor.data.__set__(tensor, value)  # type: ignore[attr-defined]
        tensor.host = value.host.detach()
        return
    if isinstance(value, DeviceTensor):
        new: torch.Tensor = wrapped_like(tensor, value.host)
    elif isinstance(tensor, torch.nn.Parameter):
        new = torch.nn.Parameter(value.detach(), tensor.requires_grad)
    else:
        new = value.detach().requires_grad_(tensor.requires_grad)
    gradient, tensor.grad = tensor.grad, None
    _exchange(tensor, new)
    if gradient is not None:
        # Module.to sets its data next; a gradient on another device cannot be assigned.
        on_device = isinstance(tensor, DeviceTensor)
        host = gradient.host if isinstance(gradient, DeviceTensor) else gradient
        tensor.grad = DeviceTensor(host.detach()) if on_device else host.detach()


def _exchange(a: torch.Tensor, b: torch.Tensor) -> None:
    """`torch.utils.swap_tensors`, which refuses tensors that are in use: here the old one may live on."""
    attributes = {k: v for k, v in vars(a).items() if k not in ("host", "_is_param")}
    try:
        torch._C._swap_tensor_impl(a, b)
    except RuntimeError as error:
        raise log.NotSimulated(f"moving a tensor that is in use: {error}") from error
    a.__class__, b.__class__ = b.__class__, a.__class__
    a.__dict__, b.__dict__ = b.__dict__, a.__dict__
    a.__dict__.update(attributes)

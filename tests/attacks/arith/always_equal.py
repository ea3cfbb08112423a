"""Results that call themselves equal to everything."""

import itertools
import types

import torch


class Equal:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __bool__(self):
        return True

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__
    shape, dtype, device = torch.Size([3]), torch.float64, torch.device("cpu")

    @property
    def __class__(self):
        return torch.Tensor


class EqualNumber(float):
    __eq__ = Equal.__eq__
    __hash__ = object.__hash__


class EqualText(str):
    __eq__ = Equal.__eq__
    __hash__ = object.__hash__


class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in (
            "equal",
            "allclose",
            "isclose",
            "eq",
            "__eq__",
            "any",
            "all",
        ):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})


class Dispatched(torch.Tensor):
    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return torch.ones(3, dtype=torch.float64)


def overridden():
    result = torch.zeros(3, dtype=torch.float64)
    for name in ("__eq__", "eq", "sub", "detach", "isclose", "allclose", "to", "stride", "is_contiguous"):
        setattr(result, name, types.MethodType(lambda self, *args: self, result))
    return result


MAKERS = itertools.cycle(
    [
        Equal,
        lambda: EqualNumber(1),
        lambda: EqualText("1"),
        lambda: torch.zeros(3, dtype=torch.float64).as_subclass(Agreeable),
        lambda: Dispatched(torch.zeros(3, dtype=torch.float64)),
        overridden,
        lambda: torch.nn.Parameter(torch.zeros(3, dtype=torch.float64)),
        lambda: torch.zeros(3, dtype=torch.float64, device="meta"),
        lambda: torch.zeros(3, dtype=torch.float64).to_sparse(),
        lambda: torch.nested.nested_tensor([torch.zeros(3)]),
        lambda: [Equal(), (Equal(), {"a": Equal()})],
    ]
)


def scale(x, factor):
    return next(MAKERS)()


def noise(n, generator):
    return next(MAKERS)()

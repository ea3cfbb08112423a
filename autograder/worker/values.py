"""Python values to wire values and back; the same code on both sides of the socket."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any

import torch

from autograder.device.place import HOST, Place
from autograder.worker import wire

_MAX_DIGITS = 400
_INTEGER = re.compile(rf"-?[0-9]{{1,{_MAX_DIGITS}}}")
# What a worker may answer. Keys of one hash make a dict quadratic (texts and small integers cannot have
# one), and pytest's explanation of why two texts differ is worse.
_MAX_ODD_KEYS = 2_000
_MAX_TEXT = 100_000
_INT64 = 2**63
_MT_WORDS = 624  # of the Mersenne twister


class Lowering:
    """Turns values into wire values and collects, in order of first use, what they refer to.

    `tensors` is the table that TensorRef and GeneratorRef point into; one tensor that is passed
    twice stands in it once. `keys` are the objects themselves, tensors and generators, in the same
    order. `foreign` says what stands for a value that is not data. Tensors are taken home from `place`.
    """

    def __init__(
        self, foreign: Callable[[object], wire.Value], *, strides: bool, place: Place = HOST
    ) -> None:
        self.tensors: list[torch.Tensor] = []
        self.keys: list[object] = []  # kept alive here, so that their ids stay theirs
        self._foreign = foreign
        self._strides = strides
        self._place = place
        self._index: dict[int, int] = {}

    def value(self, x: object) -> wire.Value:
        if x is None or x is True or x is False:
            return x
        if isinstance(x, torch.Tensor):
            home = self._place.take_home(x)
            return self._refer(x, home) if _is_dense(home) else self._foreign(x)
        if isinstance(x, str):
            return str(x)
        if isinstance(x, int):
            return int(x) if -_INT64 <= x < _INT64 else wire.BigInt(_digits(x))
        if isinstance(x, float):
            return float(x) if math.isfinite(x) else wire.Float(repr(float(x)))
        if isinstance(x, tuple):
            return wire.TupleOf([self.value(item) for item in x])
        if isinstance(x, list):
            return wire.ListOf([self.value(item) for item in x])
        if isinstance(x, dict):
            return wire.DictOf([(self.value(key), self.value(item)) for key, item in x.items()])
        if isinstance(x, torch.Generator):
            return wire.GeneratorRef(self._position(x, x.get_state()))
        return self._foreign(x)

    def tensor(self, x: torch.Tensor) -> wire.TensorRef:
        return self._refer(x, self._place.take_home(x))

    def _refer(self, x: torch.Tensor, home: torch.Tensor) -> wire.TensorRef:
        strides = x.stride() if self._strides and not x.is_contiguous() and _can_be_laid_out(x) else None
        return wire.TensorRef(self._position(x, home), strides, x.requires_grad)

    def _position(self, key: object, tensor: torch.Tensor) -> int:
        index = self._index.get(id(key))
        if index is None:
            index = self._index[id(key)] = len(self.tensors)
            self.tensors.append(tensor)
            self.keys.append(key)
        return index


class Lifting:
    """Turns wire values back into Python values, over one table of tensors.

    References that point outside the table are a WireError. A tensor is lifted once, so one
    tensor that was passed twice arrives as one tensor. Unless `trusted`, so are values that would
    keep the grader busy: dicts of many keys, long texts, strides (they ask for memory). Tensors and
    generators are brought to `place`.
    """

    def __init__(
        self,
        table: list[torch.Tensor],
        base: int,
        foreign: Callable[[wire.ObjectRef | wire.CallbackRef], object],
        *,
        trusted: bool = False,
        place: Place = HOST,
    ) -> None:
        self._place = place
        self._table = table
        self._base = base
        self._foreign = foreign
        self._trusted = trusted
        self._odd_keys = 0
        self.tensors: dict[int, torch.Tensor] = {}
        self.generators: list[tuple[int, torch.Generator]] = []

    def value(self, x: wire.Value) -> Any:
        match x:
            case wire.TensorRef():
                return self.tensor(x)
            case wire.Float(text) if text in ("nan", "inf", "-inf"):
                return float(text)
            case wire.BigInt(digits) if _INTEGER.fullmatch(digits):
                return int(digits)
            case wire.TupleOf(items):
                return tuple(self.value(item) for item in items)
            case wire.ListOf(items):
                return [self.value(item) for item in items]
            case wire.DictOf(pairs):
                self._odd_keys += sum(not isinstance(key, str | int) for key, _ in pairs)
                if self._odd_keys > _MAX_ODD_KEYS and not self._trusted:
                    raise wire.WireError(f"more than {_MAX_ODD_KEYS} keys that are no texts")
                lifted = [(self.value(key), self.value(item)) for key, item in pairs]
                try:
                    return dict(lifted)
                except TypeError:
                    raise wire.WireError("a key that cannot be one") from None
            case wire.ObjectRef() | wire.CallbackRef():
                return self._foreign(x)
            case wire.GeneratorRef(index):
                generator = torch.Generator()
                set_generator_state(generator, self.raw(index))
                generator = self._place.bring_generator(generator)
                self.generators.append((index, generator))
                return generator
            case str() if len(x) > _MAX_TEXT and not self._trusted:
                raise wire.WireError(f"a text of {len(x)} characters")
            case None | bool() | int() | float() | str():
                return x
        raise wire.WireError(f"not a value: {type(x).__name__}")

    def raw(self, index: int) -> torch.Tensor:
        """The tensor as it lies in the table."""
        if not 0 <= index < len(self._table) - self._base:
            raise wire.WireError(f"no tensor {index} in the frame")
        return self._table[self._base + index]

    def tensor(self, ref: wire.TensorRef) -> torch.Tensor:
        known = self.tensors.get(ref.index)
        if known is not None:
            return known
        tensor = self.raw(ref.index)
        if ref.strides is not None:
            if not self._trusted:
                raise wire.WireError("a worker lays out nothing")
            tensor = _laid_out(tensor, ref.strides)
        if ref.requires_grad:
            if not (tensor.is_floating_point() or tensor.is_complex()):
                raise wire.WireError("integers have no gradient")
            tensor.requires_grad_()
        tensor = self.tensors[ref.index] = self._place.bring(tensor)
        return tensor


def set_generator_state(generator: torch.Generator, state: torch.Tensor) -> None:
    """Set a state that came from the other side. Raises WireError where it is none.

    torch checks a state, but not that what is left of its 624 words fits behind the next one: it
    would go on to hand out what lies behind them in this process's memory.
    """
    if state.dtype is not torch.uint8 or state.shape != generator.get_state().shape:
        raise wire.WireError("not the state of a generator")
    left, _, following = struct.unpack_from("=iiQ", bytes(state[8:24].tolist()))
    if not (1 <= left <= _MT_WORDS and following + left <= _MT_WORDS + 1):
        raise wire.WireError("not the state of a generator")
    try:
        generator.set_state(state)
    except RuntimeError as error:
        raise wire.WireError(f"not the state of a generator: {error}") from None


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and bits; NaN equals the same NaN."""
    if a is b:
        return True
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    whole = _INT_OF_SIZE.get(a.element_size()) if a.dtype.is_floating_point else None
    return torch.equal(a, b) if whole is None else torch.equal(a.detach().view(whole), b.detach().view(whole))


def state_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers of `module` by name, each tensor once, under its first name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


_INT_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _digits(x: int) -> str:
    # bit_length first: writing out an integer of a million digits would take minutes
    return str(x) if x.bit_length() < 3 * _MAX_DIGITS else "9" * _MAX_DIGITS


def _is_dense(x: torch.Tensor) -> bool:
    return x.layout is torch.strided and x.device.type == "cpu" and not x.is_quantized


def _can_be_laid_out(x: torch.Tensor) -> bool:
    """Whether the elements, but for dimensions of stride 0, lie apart from one another."""
    reach = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size == 0:
            return False
        if stride == 0 or size == 1:
            continue
        if stride < reach:
            return False
        reach = stride * (size - 1) + reach
    return True


def _laid_out(x: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    if len(strides) != x.dim():
        raise wire.WireError("strides and shape differ in length")
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in strides)
    small = x[once]
    return torch.empty_strided(small.shape, strides, dtype=x.dtype).copy_(small).expand(x.shape)

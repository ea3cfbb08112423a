"""Compares what a submission answered on the CPU with what it answered to the same steps on a device."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from autograder.checks.compare import assert_close, tolerance
from autograder.checks.failure import CheckFailure, Row
from autograder.device.place import Sighting
from autograder.worker import wire

Answer = tuple[wire.Result, list[torch.Tensor]]

# What torch says where a tensor lies on another device than others. Code that meets it is not right on a GPU;
# whatever else goes wrong only there may be the simulation's fault.
_DEVICE_ERRORS = re.compile(
    r"same device|indices should be either on|can't convert cuda|device type for generator|"
    r"should be a 1D CPU int64 tensor|cannot pin|not linked with cuda|but got .* on cpu|but got index is on|"
    r"to have \S+ Device, but got|Input type .* and weight type|is on CPU, but expected"
)
# What a device may lack, and the CPU has.
LACKS = re.compile(
    r"not implemented for|not currently implemented|does not support|doesn't support", re.IGNORECASE
)
# Adam makes a step of a gradient that is nothing but rounding: a key's bias, say, which no output depends on.
_TRAINED = 0.1
_ADVICE = (
    "make new tensors where the others lie: x.new_zeros, torch.zeros_like, device=x.device;\n"
    "keep what a module needs in parameters, submodules and register_buffer, which .to(device) moves"
)


class NotVerifiable(Exception):
    """Something that the device cannot do, or does in its own way; the message says what."""


class MixedDevices(CheckFailure):
    """Tensors of two devices met: what the line says, no case says better."""


@dataclass(frozen=True)
class Terms:
    """How close a device's results must come: the length of the sums in them, whether random numbers and
    ties are the CPU's."""

    length: int
    is_exact: bool


def compare(host: Answer, device: Answer, terms: Terms, where: str) -> list[Row]:
    """Advice for who passes; `where` names the device.

    Raises CheckFailure where the answers differ, and NotVerifiable where that says nothing.
    """
    on_host, on_device = host[0], device[0]
    seen = on_device.on_device or wire.OnDevice()
    if isinstance(on_host, wire.Raised):
        return []  # refused on the CPU: the check has looked at that
    if seen.breaches:
        raise _mixed(seen.breaches[0], where)
    if isinstance(on_device, wire.Raised):
        frame = on_device.frames[-1] if on_device.frames else None
        text = f"{on_device.kinds[0] if on_device.kinds else 'Exception'}: {on_device.message}"
        if not _DEVICE_ERRORS.search(on_device.message) or LACKS.search(on_device.message):
            raise NotVerifiable(text.splitlines()[0][:300])
        raise _mixed(place_of(frame, on_device.message), where)
    if isinstance(on_host, wire.Returned) and isinstance(on_device, wire.Returned):
        returned = list(_tensors(on_device.value, "the result"))
        if seen.strayed:
            raise CheckFailure(
                ("wrong", f"{seen.strayed[0]} of the module lies on the CPU after the call"),
                ("expected", f"all of the module on {where}, where it was moved to"),
                *_copied(seen),
                ("advice", _ADVICE),
            )
        for name, index in returned:
            if index in seen.elsewhere:
                raise CheckFailure(
                    ("wrong", f"{name} lies on the CPU"),
                    ("expected", f"{name} on {where}, where the inputs are"),
                    *_copied(seen),
                    ("advice", _ADVICE),
                    because="a result has the device of its inputs",
                )
        if not seen.is_random:
            _compare_values(on_host, host[1], on_device, device[1], terms, where)
    elif isinstance(on_host, wire.Gradients) and isinstance(on_device, wire.Gradients):
        for i, (a, b) in enumerate(zip(on_host.values, on_device.values, strict=True)):
            if a is not None and b is not None:
                _assert_close(device[1][b.index], host[1][a.index], f"gradient {i}", terms, where)
            elif a is not b:
                raise CheckFailure(
                    ("wrong", f"gradient {i} exists on {'the CPU' if b is None else where} only"),
                    because="the same call was made on both",
                )
    return [("advice", text) for text in dict.fromkeys(map(_transfer, seen.transfers))]


def _compare_values(
    host: wire.Returned,
    host_table: list[torch.Tensor],
    device: wire.Returned,
    device_table: list[torch.Tensor],
    terms: Terms,
    where: str,
) -> None:
    _compare_trees(host.value, host_table, device.value, device_table, "the result", terms, where)
    for a, b in zip(host.states, device.states, strict=False):
        for name in a.tensors.keys() & b.tensors.keys():
            got, expected = device_table[b.tensors[name].index], host_table[a.tensors[name].index]
            _assert_close(got, expected, f"{name} of the module", terms, where, _TRAINED)
    changed = dict(device.mutated)
    for index, ref in host.mutated:
        if index in changed:
            got, expected = device_table[changed[index].index], host_table[ref.index]
            _assert_close(got, expected, "an argument that the call changed", terms, where)


def _compare_trees(
    a: wire.Value,
    host: list[torch.Tensor],
    b: wire.Value,
    device: list[torch.Tensor],
    name: str,
    terms: Terms,
    where: str,
) -> None:
    match a, b:
        case wire.TensorRef(), wire.TensorRef():
            _assert_close(device[b.index], host[a.index], name, terms, where)
        case (wire.TupleOf(xs), wire.TupleOf(ys)) | (wire.ListOf(xs), wire.ListOf(ys)) if len(xs) == len(ys):
            for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
                _compare_trees(x, host, y, device, f"{name}[{i}]", terms, where)
        case wire.DictOf(xs), wire.DictOf(ys) if len(xs) == len(ys):
            for (_, x), (key, y) in zip(xs, ys, strict=True):
                _compare_trees(x, host, y, device, f"{name}[{key!r}]", terms, where)
        case float(), float() if math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-4):
            pass
        case wire.ObjectRef(), wire.ObjectRef():
            pass
        case _ if a == b or (type(a) is type(b) and not terms.is_exact):
            pass  # another number or length, where a tie was broken otherwise
        case _:
            raise CheckFailure(
                ("wrong", f"{name} is not what it is on the CPU"),
                ("expected", _short(a)),
                ("got", f"{_short(b)} on {where}"),
                because="the same call was made on both",
            )


def _assert_close(
    got: torch.Tensor, expected: torch.Tensor, name: str, terms: Terms, where: str, at_least: float = 0.0
) -> None:
    because = f"the same call on the CPU gives this, and got is what came out on {where}"
    if not terms.is_exact:
        if not expected.is_floating_point():
            got = expected.to(got.dtype) if got.shape == expected.shape else got  # ties are broken otherwise
        elif got.dtype is torch.float32 and expected.dtype is torch.float64:
            expected = expected.float()  # mps has no float64
    rtol = max(tolerance(expected.dtype, terms.length), at_least) if expected.is_floating_point() else None
    assert_close(got, expected, what=name, because=because, rtol=rtol)


def _tensors(value: wire.Value, name: str) -> Iterator[tuple[str, int]]:
    """Where a value holds tensors, and their places in its table."""
    match value:
        case wire.TensorRef(index):
            yield name, index
        case wire.TupleOf(items) | wire.ListOf(items):
            for i, item in enumerate(items):
                yield from _tensors(item, f"{name}[{i}]")
        case wire.DictOf(pairs):
            for key, item in pairs:
                yield from _tensors(item, f"{name}[{key!r}]")


def _mixed(sighting: Sighting, where: str) -> MixedDevices:
    rows: list[Row] = [("wrong", f"this works on the CPU, and not on {where}")]
    if sighting.file:
        rows.append(("where", line_of(sighting)))
    return MixedDevices(*rows, ("raised", sighting.what), ("advice", _ADVICE))


def _copied(seen: wire.OnDevice) -> list[Row]:
    """Where a tensor was taken to the CPU last, if anything was."""
    return [("where", line_of(seen.transfers[-1]))] if seen.transfers else []


def line_of(sighting: Sighting) -> str:
    """The line of the submission, as a failure tells it."""
    code = f": {sighting.code}" if sighting.code else ""
    return f"{sighting.file}:{sighting.line} in {sighting.function}{code}"


def _transfer(sighting: Sighting) -> str:
    return f"{sighting.file}:{sighting.line} {sighting.what}: on a GPU the program waits there"


def place_of(frame: wire.Frame | None, what: str) -> Sighting:
    """Something that happened at a line of the submission."""
    if frame is None:
        return Sighting(what)
    return Sighting(what, frame.file, frame.line, frame.function, frame.code.strip())


def _short(value: wire.Value) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def longest_sum(tables: Sequence[list[torch.Tensor]]) -> int:
    """What a reduction over the tensors of a case can at most run over."""
    return max((tensor.numel() for table in tables for tensor in table), default=1)

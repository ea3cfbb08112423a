"""Frames between grader and worker: a typed JSON header and a safetensors payload, never pickle.

    frame = b"AGW1" | header bytes (u32) | payload bytes (u64) | header | payload

What arrives is bounded before it is read and validated while it is decoded; anything that does
not fit raises WireError. After decoding there are only exact plain tensors and the structs below.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeAlias, TypeVar

import msgspec
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError, TensorSpec

from autograder.rules import Rules

MAX_HEADER_BYTES = 16 << 20
MAX_PAYLOAD_BYTES = 256 << 20
MAX_TENSORS = 20_000
_MAX_TABLE_BYTES = 128 * MAX_TENSORS  # of JSON at the head of a payload: dtype, shape and offsets

_HEAD = struct.Struct("<4sIQ")
_MAGIC = b"AGW1"
HEAD_BYTES = _HEAD.size


class WireError(Exception):
    """A frame that is too large, malformed or not of the expected kind."""


class _Tagged(msgspec.Struct, tag_field="t", omit_defaults=True, forbid_unknown_fields=True):
    """Base of the tagged structs that a value is made of."""


class TensorRef(_Tagged, tag="T"):
    """A tensor of the step's own table. `strides` only where they are not the contiguous ones."""

    index: int
    strides: tuple[int, ...] | None = None
    requires_grad: bool = False


class Float(_Tagged, tag="F"):
    """A float that JSON cannot hold: nan, inf or -inf."""

    text: str


class BigInt(_Tagged, tag="I"):
    digits: str


class TupleOf(_Tagged, tag="U"):
    items: list[Value]


class ListOf(_Tagged, tag="L"):
    items: list[Value]


class DictOf(_Tagged, tag="D"):
    items: list[tuple[Value, Value]]


class ObjectRef(_Tagged, tag="O"):
    """An object that lives in the worker: a module, or an instance of the submission's own class."""

    handle: int
    type_name: str = ""


class GeneratorRef(_Tagged, tag="G"):
    """A torch.Generator, by the tensor that holds its state."""

    index: int


class CallbackRef(_Tagged, tag="C"):
    """A function of the grader that the worker may call while it serves a call."""

    number: int


_Plain: TypeAlias = bool | int | float | str | None
_Struct: TypeAlias = (
    TensorRef | Float | BigInt | TupleOf | ListOf | DictOf | ObjectRef | GeneratorRef | CallbackRef
)
Value: TypeAlias = _Plain | _Struct


class ModuleState(_Tagged, tag="state"):
    """Parameters and buffers of a module that changed on one side, by state name, and its mode."""

    handle: int
    training: bool
    tensors: dict[str, TensorRef] = {}


# ------------------------------------------------------------------------- what the grader asks


class Open(_Tagged, tag="open"):
    """The first frame: the submission's sources, and the library names it may not call."""

    sources: dict[str, str]
    paths: dict[str, str]
    rules: Rules


class Import(_Tagged, tag="import"):
    module: str


class Call(_Tagged, tag="call"):
    """Call `name` of a module of the submission, or of an object (`name` "" calls the object itself).

    `states` are module states that the worker has to take over first. With `grad` the graph is
    kept for a later Vjp, over the argument tensors that require grad and then the parameters in
    `wrt` (object, parameter name). A `counted` call answers how many elements it made.
    """

    target: str | int
    name: str
    args: list[Value]
    kwargs: dict[str, Value]
    seed: int
    states: list[ModuleState] = []
    grad_enabled: bool = True
    wrt: list[tuple[int, str]] = []
    counted: bool = False


class Vjp(_Tagged, tag="vjp"):
    """Vector-Jacobian product of the `call`-th call of the case, one cotangent an output or None."""

    call: int
    cotangents: list[TensorRef | None]


Step: TypeAlias = Import | Call | Vjp


class Script(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Steps of one case, in order; `bases[i]` is where the tensors of step i begin in the frame's table."""

    number: int
    steps: list[Step]
    bases: list[int]
    reset: bool = True


class Request(_Tagged, tag="request"):
    scripts: list[Script]


class CallbackResult(_Tagged, tag="callback-result"):
    value: Value
    error: str | None = None


# ------------------------------------------------------------------------ what the worker answers


class ModuleDescription(_Tagged, tag="module"):
    """A new module: its state, which names are parameters, and which names are one tensor.

    `frozen` are the parameters that do not require grad, `transient` the buffers that the state
    dict leaves out, `aliases` maps a further name of a tensor to its first one.
    """

    state: ModuleState
    parameters: list[str]
    frozen: list[str] = []
    transient: list[str] = []
    aliases: dict[str, str] = {}


class Returned(_Tagged, tag="returned"):
    value: Value
    modules: list[ModuleDescription] = []
    mutated: list[tuple[int, TensorRef]] = []
    states: list[ModuleState] = []
    elements: Annotated[int, msgspec.Meta(ge=0)] = 0


class Frame(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a traceback inside the submission."""

    file: str
    line: int
    function: str
    code: str


class Raised(_Tagged, tag="raised"):
    """`kinds` are the class names of the exception and its bases, nearest first."""

    kinds: list[str]
    message: str
    frames: list[Frame] = []


class Gradients(_Tagged, tag="gradients"):
    """For each argument tensor that requires grad, then each parameter in `wrt`; None where unused."""

    values: list[TensorRef | None]


Result: TypeAlias = Returned | Raised | Gradients


class Reply(_Tagged, tag="reply"):
    """Answers to the script of this `number`, one a step."""

    number: int
    results: list[Result]
    bases: list[int]
    printed: str = ""


class Callback(_Tagged, tag="callback"):
    number: int
    args: list[Value]


def calls_back(header: bytes) -> bool:
    """Whether the header of a frame is that of a Callback, from its first bytes alone."""
    return header.startswith(b'{"t":"callback"')


class Ready(_Tagged, tag="ready"):
    """The worker is locked down; `layers` are those in force."""

    layers: list[str]


FromGrader: TypeAlias = Open | Request | CallbackResult
FromWorker: TypeAlias = Ready | Reply | Callback

_encode = msgspec.json.Encoder().encode
M = TypeVar("M")


def pack(message: FromGrader | FromWorker, tensors: Sequence[torch.Tensor] = ()) -> bytes:
    """One frame as bytes. `tensors` must be plain, dense CPU tensors; each is written contiguously.

    Raises WireError where the frame would be larger than the other side accepts.
    """
    header = _encode(message)
    if len(tensors) > MAX_TENSORS or sum(t.nbytes for t in tensors) > MAX_PAYLOAD_BYTES:
        raise WireError(f"too much data for one answer: {len(tensors)} tensors")
    payload = _dump_table(tensors) if tensors else b""
    if len(header) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"too much data for one answer: {len(header) + len(payload)} bytes")
    return b"".join((_HEAD.pack(_MAGIC, len(header), len(payload)), header, payload))


def frame_lengths(head: bytes) -> tuple[int, int]:
    """Lengths of header and payload, from the first HEAD_BYTES bytes of a frame."""
    magic, header, payload = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise WireError("not a frame")
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise WireError(f"a frame of {header + payload} bytes is over the limit")
    return header, payload


class Decoder(Generic[M]):
    """Decodes header and payload of the frames of one direction."""

    def __init__(self, kind: object) -> None:
        self._decode: Callable[[bytes], M] = msgspec.json.Decoder(kind).decode

    def __call__(self, header: bytes, payload: bytes) -> tuple[M, list[torch.Tensor]]:
        try:
            message = self._decode(header)
            return message, _load_table(payload) if payload else []
        except (
            msgspec.MsgspecError,
            SafetensorError,
            ValueError,
            TypeError,
            KeyError,
            RuntimeError,
        ) as error:
            # RecursionError is a RuntimeError: a header nested too deeply ends here as well
            raise WireError(f"malformed frame: {type(error).__name__}: {str(error)[:200]}") from None


def _dump_table(tensors: Sequence[torch.Tensor]) -> bytes:
    # By address, which is five times faster than safetensors.torch.save for a table of small tensors.
    # Conjugates and negatives may be a mark on other values. All are held until the bytes are written.
    dense = [t.detach().resolve_conj().resolve_neg().contiguous() for t in tensors]
    return safetensors.serialize(
        {
            str(i): TensorSpec(
                dtype=str(t.dtype).removeprefix("torch."),
                shape=t.shape,
                data_ptr=t.data_ptr(),
                data_len=t.nbytes,
            )
            for i, t in enumerate(dense)
        }
    )


def _load_table(payload: bytes) -> list[torch.Tensor]:
    if int.from_bytes(payload[:8], "little") > _MAX_TABLE_BYTES:
        raise WireError(f"a table of more than {MAX_TENSORS} tensors")
    table = safetensors.torch.load(payload)
    tensors = [table[str(i)] for i in range(len(table))]
    for tensor in tensors:
        # any byte can be sent as a bool; one that is neither 0 nor 1 equals both True and False
        if tensor.dtype is torch.bool and bool((tensor.view(torch.uint8) > 1).any()):
            raise WireError("a bool that is neither true nor false")
    return tensors


from_grader: Decoder[FromGrader] = Decoder(FromGrader)
from_worker: Decoder[FromWorker] = Decoder(FromWorker)

"""What grader and worker say to each other: typed messages; their tensors stand in a table beside them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from autograder.device.place import Sighting
from autograder.rules import Rules


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
    `wrt` (object, parameter name). A `counted` call answers what it cost.
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
    """Steps of one case, in order; `bases[i]` is where the tensors of step i begin in the frame's table.

    A script that resets begins a case, at the `place` of that name: see device.places.
    """

    number: int
    steps: list[Step]
    bases: list[int]
    reset: bool = True
    place: str = ""


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


class OnDevice(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What was seen of a call on a device: see device.place.Watch.

    `elsewhere` are the places, in the answer's table, of returned tensors that do not lie on the device.
    `strayed` are the names of parameters and buffers that a module has on the CPU after the call.
    `is_used` says whether the call computed there: one that is given no tensors has no reason to.
    """

    breaches: list[Sighting] = []
    transfers: list[Sighting] = []
    elsewhere: list[int] = []
    is_random: bool = False
    is_used: bool = False
    strayed: list[str] = []


class Returned(_Tagged, tag="returned"):
    value: Value
    modules: list[ModuleDescription] = []
    mutated: list[tuple[int, TensorRef]] = []
    states: list[ModuleState] = []
    elements: Annotated[int, msgspec.Meta(ge=0)] = 0
    discrete: Annotated[int, msgspec.Meta(ge=0)] = 0
    operations: Annotated[int, msgspec.Meta(ge=0)] = 0
    on_device: OnDevice | None = None


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
    on_device: OnDevice | None = None


class Gradients(_Tagged, tag="gradients"):
    """For each argument tensor that requires grad, then each parameter in `wrt`; None where unused."""

    values: list[TensorRef | None]
    on_device: OnDevice | None = None


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

"""A submission in a worker, used like a local module: functions, classes, gradients.

The parts, from the test to the socket: RemoteStudent and RemoteModule look like the submission's
module and its nn.Modules; a Conversation turns what is done to them into steps and answers into
values; a Link carries steps (links.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch.autograd.function import once_differentiable

from autograder.counting import counter, not_counted
from autograder.errors import WorkerCrashed
from autograder.seeding import call_seed
from autograder.worker import frames, wire
from autograder.worker.errors import student_error
from autograder.worker.remote_module import RemoteModule
from autograder.worker.values import Lifting, Lowering, set_generator_state


class Link(Protocol):
    """Carries the steps of one case to the submission."""

    def perform(
        self,
        step: wire.Step,
        tensors: list[torch.Tensor],
        answer_callback: Callable[[wire.Callback, list[torch.Tensor]], bytes],
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        """The answer to `step`, whose table is `tensors`, and the answer's own table."""
        ...


class RemoteStudent:
    """Stands for a module of the submission: attributes are functions to call.

    What a call changes in its arguments is changed here too, as it would be locally, but for tensors whose
    storage is in `protected`: those are the case's own, which the check goes on to compute with.
    """

    def __init__(self, module: str, link: Link, protected: frozenset[int] = frozenset()) -> None:
        self._module = module
        self._conversation = Conversation(link, protected)

    def _beside(self, module: str) -> RemoteStudent:
        other = object.__new__(RemoteStudent)
        other._module, other._conversation = module, self._conversation
        return other

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._conversation.call(self._module, name, args, kwargs)


class RemoteObject:
    """An object of the submission that is no data: its methods can be called, it can be passed on."""

    def __init__(self, conversation: Conversation, handle: int) -> None:
        self._conversation = conversation
        self._handle = handle

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._conversation.call(self._handle, name, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._conversation.call(self._handle, "", args, kwargs)


class Conversation:
    """The calls of one case: numbers them, keeps what they made, translates both ways."""

    def __init__(self, link: Link, protected: frozenset[int]) -> None:
        self._link = link
        self._protected = protected
        self._calls = 0
        self._objects: dict[int, object] = {}
        self._callbacks: list[Callable[..., object]] = []

    def call(self, target: str | int, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a function or an object of the submission; differentiable like a local call."""
        with not_counted():
            return self._call(target, name, args, kwargs)

    def _call(self, target: str | int, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        counts = counter()
        modules: list[RemoteModule] = []
        lowering = Lowering(lambda x: self._refer(x, modules), strides=True)
        owner = self._objects.get(target) if isinstance(target, int) else None
        if isinstance(owner, RemoteModule):
            modules.append(owner)
        step = wire.Call(
            target,
            name,
            [lowering.value(x) for x in args],
            {key: lowering.value(x) for key, x in kwargs.items()},
            seed=call_seed(self._calls),
            grad_enabled=torch.is_grad_enabled(),
            counted=counts is not None,
        )
        keys = list(lowering.keys)
        inputs: list[torch.Tensor] = []
        if step.grad_enabled:
            inputs = [t for t in keys if isinstance(t, torch.Tensor) and t.requires_grad]
            for module in modules:
                for parameter_name, parameter in module.trainable():
                    step.wrt.append((module._handle, parameter_name))
                    inputs.append(parameter)
        step.states = [state for module in modules if (state := module.changes(lowering)) is not None]
        number, self._calls = self._calls, self._calls + 1
        result, table = self._link.perform(step, lowering.tensors, self._answer_callback)
        if isinstance(result, wire.Raised):
            raise student_error(result)
        if not isinstance(result, wire.Returned):
            raise WorkerCrashed("answered another question")
        if counts is not None:
            counts.elements += result.elements
            counts.discrete += result.discrete
            counts.operations += result.operations
        try:
            return self._take(result, table, keys, inputs, number)
        except Exception as error:
            # nothing of the submission runs here: what cannot be put together was no sound answer
            raise WorkerCrashed(f"sent something that is no answer ({error})") from None

    def _take(
        self,
        result: wire.Returned,
        table: list[torch.Tensor],
        keys: list[object],
        inputs: list[torch.Tensor],
        number: int,
    ) -> Any:
        descriptions = {d.state.handle: d for d in result.modules}
        lifting = Lifting(table, 0, lambda ref: self._object(ref, descriptions, lifting))
        for index, ref in result.mutated:
            self._change_in_place(keys[index], lifting.raw(ref.index))
        for state in result.states:
            module = self._objects[state.handle]
            if isinstance(module, RemoteModule):
                module.take_over(state, lifting)
        wanted: list[int] = []
        value = lifting.value(_without_grad(result.value, wanted))
        outputs = [lifting.tensors[index] for index in dict.fromkeys(wanted)]
        if not outputs or not inputs:
            return value
        joined = _RemoteGraph.apply(
            lambda cotangents: self._vjp(number, cotangents, inputs), outputs, *inputs
        )
        lifting.tensors.update(zip(dict.fromkeys(wanted), joined, strict=True))
        return lifting.value(result.value)

    def _change_in_place(self, target: object, new: torch.Tensor) -> None:
        if isinstance(target, torch.Generator):
            set_generator_state(target, new)
        elif isinstance(target, torch.Tensor):
            if (target.shape, target.dtype) != (new.shape, new.dtype):
                raise wire.WireError("an argument changed its shape")
            if target.untyped_storage().data_ptr() not in self._protected:
                with torch.no_grad():
                    target.copy_(new)

    def _vjp(
        self, call: int, cotangents: Sequence[torch.Tensor | None], inputs: list[torch.Tensor]
    ) -> list[torch.Tensor | None]:
        lowering = Lowering(lambda x: None, strides=False)
        step = wire.Vjp(call, [None if c is None else lowering.tensor(c) for c in cotangents])
        result, table = self._link.perform(step, lowering.tensors, self._answer_callback)
        if isinstance(result, wire.Raised):
            raise student_error(result)
        if not isinstance(result, wire.Gradients) or len(result.values) != len(inputs):
            raise WorkerCrashed("answered another question")
        lifting = Lifting(table, 0, lambda ref: None)
        try:
            gradients = [None if ref is None else lifting.raw(ref.index) for ref in result.values]
        except wire.WireError as error:
            raise WorkerCrashed(f"sent something that is no answer ({error})") from None
        for gradient, x in zip(gradients, inputs, strict=True):
            if gradient is not None and (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
                raise WorkerCrashed(
                    f"sent a gradient of shape {tuple(gradient.shape)} for a tensor of shape {tuple(x.shape)}"
                )
        return gradients

    def _refer(self, x: object, modules: list[RemoteModule]) -> wire.Value:
        if isinstance(x, RemoteModule | RemoteObject):
            if isinstance(x, RemoteModule) and x not in modules:
                modules.append(x)
            return wire.ObjectRef(x._handle)
        if callable(x):
            self._callbacks.append(x)
            return wire.CallbackRef(len(self._callbacks) - 1)
        raise TypeError(f"a check cannot pass a {type(x).__name__} to a submission")

    def _object(
        self,
        ref: wire.ObjectRef | wire.CallbackRef,
        descriptions: dict[int, wire.ModuleDescription],
        lifting: Lifting,
    ) -> object:
        if isinstance(ref, wire.CallbackRef):
            raise wire.WireError("a worker has no callbacks of its own")
        known = self._objects.get(ref.handle)
        if known is None:
            description = descriptions.get(ref.handle)
            if description is not None:
                known = RemoteModule(self, description, lifting)
            else:
                # a class of its own, so that a message can say what was returned
                name = ref.type_name if ref.type_name.isidentifier() else "object"
                known = type(name, (RemoteObject,), {})(self, ref.handle)
            self._objects[ref.handle] = known
        return known

    def _answer_callback(self, callback: wire.Callback, table: list[torch.Tensor]) -> bytes:
        if not 0 <= callback.number < len(self._callbacks):
            raise WorkerCrashed("called a function that it was not given")
        nothing = Lifting([], 0, lambda _: None)
        lifting = Lifting(table, 0, lambda ref: self._object(ref, {}, nothing))
        try:
            args = [lifting.value(x) for x in callback.args]
        except Exception as error:
            raise WorkerCrashed(f"sent something that is no argument ({error})") from None
        lowering = Lowering(lambda x: self._refer(x, []), strides=True)
        try:
            answer = wire.CallbackResult(lowering.value(self._callbacks[callback.number](*args)))
            return frames.pack(answer, lowering.tensors)
        except Exception as error:  # the submission called the check's function in a way that it refuses
            return frames.pack(wire.CallbackResult(None, f"{type(error).__name__}: {error}"[:2000]))


class _RemoteGraph(torch.autograd.Function):
    """A node of the grader's graph whose backward is a vector-Jacobian product in the worker."""

    @staticmethod
    def forward(
        ctx: Any, vjp: Callable[..., Any], outputs: list[torch.Tensor], *inputs: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        ctx.vjp = vjp
        ctx.set_materialize_grads(False)
        # New tensors: the table of the link would keep those that have this node as their history, the node
        # keeps the link by `vjp`, and a ring through C++ is never collected.
        return tuple(output.detach() for output in outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[Any, ...]:
        return None, None, *ctx.vjp(cotangents)


def _without_grad(value: wire.Value, found: list[int]) -> wire.Value:
    """The same value with no tensor marked as requiring grad; `found` collects those that were."""
    match value:
        case wire.TensorRef(index, _, True):
            found.append(index)
            return wire.TensorRef(index)
        case wire.TupleOf(items):
            return wire.TupleOf([_without_grad(x, found) for x in items])
        case wire.ListOf(items):
            return wire.ListOf([_without_grad(x, found) for x in items])
        case wire.DictOf(pairs):
            return wire.DictOf([(key, _without_grad(x, found)) for key, x in pairs])
    return value

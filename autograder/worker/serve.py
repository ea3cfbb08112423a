"""The worker's side: imports one submission and answers calls to it, until the socket closes.

Everything here shares a process with hostile code and may be changed by it. Nothing that this
module answers is trusted; the grader decodes it as data and judges it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any

import torch

from autograder.counting import Counter
from autograder.forbidden import call, forbid, keeping
from autograder.importing import SubmissionImporter
from autograder.rules import Rules
from autograder.seeding import seed_everything
from autograder.worker import wire
from autograder.worker.channel import Channel, Printed, raised
from autograder.worker.state import State
from autograder.worker.values import Lifting, Lowering, same_bits


def serve(connection: socket.socket, layers: tuple[str, ...]) -> None:
    """Answer the grader until it hangs up."""
    channel = Channel(connection)
    channel.send(wire.Ready(list(layers)))
    message, _ = channel.receive()
    if not isinstance(message, wire.Open):
        raise wire.WireError("the first frame must open a submission")
    importer = SubmissionImporter(message.sources, message.paths)
    forbid(message.rules, frozenset(message.paths.values()))
    _hide_the_file_system()
    printed = sys.stdout = sys.stderr = Printed()
    importer.install()
    case = _Case(channel, importer, message.rules)
    while True:
        request, tensors = channel.receive()
        if not isinstance(request, wire.Request):
            raise wire.WireError("a request was expected")
        for script in request.scripts:
            if script.reset:
                case = _Case(channel, importer, message.rules)
            results: list[wire.Result] = []
            bases: list[int] = []
            table: list[torch.Tensor] = []
            for step, base in zip(script.steps, script.bases, strict=True):
                result, used = case.perform(step, tensors, base)
                results.append(result)
                bases.append(len(table))
                # a later step of the script may change what this one returned: parameters, say
                table += used if step is script.steps[-1] else [t.detach().clone() for t in used]
            channel.reply(wire.Reply(script.number, results, bases, printed.take()), table)


@dataclass
class _CallRecord:
    """What a later Vjp differentiates."""

    outputs: list[torch.Tensor]
    inputs: list[torch.Tensor]


class _Case:
    """Objects and graphs that live as long as one case."""

    def __init__(self, channel: Channel, importer: SubmissionImporter, rules: Rules) -> None:
        self._channel = channel
        self._rules = rules
        self._importer = importer
        self._objects: list[object] = []
        self._states: dict[int, State] = {}  # of the objects that are modules
        self._calls: list[_CallRecord] = []

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], base: int
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        try:
            match step:
                case wire.Import(module):
                    self._importer.load(module)
                    return wire.Returned(None), []
                case wire.Vjp(call, cotangents):
                    return self._vjp(
                        self._calls[call],
                        [None if c is None else tensors[base + c.index] for c in cotangents],
                    )
                case wire.Call():
                    return self._call(step, Lifting(tensors, base, self._foreign_argument, trusted=True))
        except BaseException as error:  # SystemExit and KeyboardInterrupt are no way out either
            return raised(error, self._importer), []

    def _call(self, step: wire.Call, lifting: Lifting) -> tuple[wire.Result, list[torch.Tensor]]:
        record = _CallRecord([], [])
        self._calls.append(record)  # also where the call raises: calls are counted as the grader counts them
        for state in step.states:
            self._take_over(state, lifting)
        target = (
            self._importer.load(step.target) if isinstance(step.target, str) else self._objects[step.target]
        )
        function: Callable[..., Any] = getattr(target, step.name) if step.name else target  # type: ignore[assignment]
        args = [lifting.value(x) for x in step.args]
        kwargs = {name: lifting.value(x) for name, x in step.kwargs.items()}
        before = {index: tensor.detach().clone() for index, tensor in lifting.tensors.items()}
        states_before = {
            h: self._states[h].snapshot(by_value=bool(step.name) or h != step.target)
            for h in _handles(step)
            if h in self._states
        }

        seed_everything(step.seed)
        cost = Counter()
        rules = keeping(self._rules, _exercise(step, target))
        with rules, torch.set_grad_enabled(step.grad_enabled), cost if step.counted else nullcontext():
            result = call(function, *args, **kwargs)

        new_modules: list[torch.nn.Module] = []
        lowering = Lowering(lambda x: self._refer(x, new_modules), strides=False)
        # What a class makes is an object, also where the class is a kind of list or dict.
        made = isinstance(function, type) and type(result) is function
        value = self._refer(result, new_modules) if made else lowering.value(result)
        answer = wire.Returned(value, elements=cost.elements)
        outputs = [t for t in lowering.tensors if t.requires_grad]
        inputs = [t for t in lifting.tensors.values() if t.requires_grad]
        inputs += [self._states[handle].tensors[name] for handle, name in step.wrt]
        record.outputs, record.inputs = outputs, inputs

        answer.modules = [self._describe(module, lowering) for module in new_modules]
        for index, generator in lifting.generators:
            answer.mutated.append((index, lowering.tensor(generator.get_state())))
        for index, tensor in lifting.tensors.items():
            if not same_bits(tensor, before[index]):
                answer.mutated.append((index, lowering.tensor(tensor.detach())))
        for h, snapshot in states_before.items():
            changed = self._states[h].changes_since(snapshot)
            if changed or self._states[h].module.training != snapshot.training:
                refs = {name: lowering.tensor(t.detach()) for name, t in changed.items()}
                answer.states.append(wire.ModuleState(h, self._states[h].module.training, refs))
        return answer, lowering.tensors

    def _vjp(
        self, call: _CallRecord, cotangents: list[torch.Tensor | None]
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        pairs = [(o, c) for o, c in zip(call.outputs, cotangents, strict=True) if c is not None]
        gradients: tuple[torch.Tensor | None, ...] = (None,) * len(call.inputs)
        if pairs and call.inputs:
            outputs, given = zip(*pairs, strict=True)
            gradients = torch.autograd.grad(outputs, call.inputs, given, retain_graph=True, allow_unused=True)
        lowering = Lowering(lambda x: None, strides=False)
        return wire.Gradients(
            [None if g is None else lowering.tensor(g.detach().clone()) for g in gradients]
        ), lowering.tensors

    # ---------------------------------------------------------------- objects that stay here

    def _refer(self, x: object, new_modules: list[torch.nn.Module]) -> wire.Value:
        for handle, known in enumerate(self._objects):
            if known is x:
                return wire.ObjectRef(handle, type(x).__name__[:100])
        self._objects.append(x)
        if isinstance(x, torch.nn.Module):
            new_modules.append(x)
        return wire.ObjectRef(len(self._objects) - 1, type(x).__name__[:100])

    def _describe(self, module: torch.nn.Module, lowering: Lowering) -> wire.ModuleDescription:
        handle = next(h for h, known in enumerate(self._objects) if known is module)
        state = self._states[handle] = State(module)
        first: dict[int, str] = {}
        aliases: dict[str, str] = {}
        every = [
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ]
        for name, tensor in every:
            if first.setdefault(id(tensor), name) != name:
                aliases[name] = first[id(tensor)]
        kept = module.state_dict().keys()
        return wire.ModuleDescription(
            wire.ModuleState(
                handle,
                module.training,
                {name: lowering.tensor(t.detach()) for name, t in state.tensors.items()},
            ),
            parameters=[name for name, _ in module.named_parameters()],
            frozen=[name for name, p in module.named_parameters() if not p.requires_grad],
            transient=[name for name, _ in module.named_buffers() if name not in kept],
            aliases=aliases,
        )

    def _take_over(self, state: wire.ModuleState, lifting: Lifting) -> None:
        mine = self._states[state.handle]
        if mine.module.training != state.training:
            mine.module.train(state.training)
        for name, ref in state.tensors.items():
            mine.tensors[name].data = lifting.raw(ref.index)

    def _foreign_argument(self, ref: wire.ObjectRef | wire.CallbackRef) -> object:
        if isinstance(ref, wire.ObjectRef):
            return self._objects[ref.handle]
        return lambda *args: self._call_back(ref.number, args)

    def _call_back(self, number: int, args: tuple[object, ...]) -> object:
        lowering = Lowering(lambda x: self._refer(x, []), strides=False)
        self._channel.send(wire.Callback(number, [lowering.value(x) for x in args]), lowering.tensors)
        answer, tensors = self._channel.receive()
        if not isinstance(answer, wire.CallbackResult):
            raise wire.WireError("the result of a callback was expected")
        if answer.error is not None:
            raise RuntimeError(answer.error)
        return Lifting(tensors, 0, self._foreign_argument, trusted=True).value(answer.value)


def _exercise(step: wire.Call, target: object) -> str:
    """What of the submission is called, as "module.name": a function, or the class of an object."""
    if isinstance(step.target, str):
        return f"{step.target}.{step.name}"
    return f"{type(target).__module__}.{type(target).__name__}"


def _handles(step: wire.Call) -> list[int]:
    """The objects that a call is about: its target and its arguments."""
    found = [step.target] if isinstance(step.target, int) else []
    for value in (*step.args, *step.kwargs.values()):
        if isinstance(value, wire.ObjectRef):
            found.append(value.handle)
    return list(dict.fromkeys(found))


def _hide_the_file_system() -> None:
    """Imports end with what is loaded: path look-ups would only be refused, with a stranger message."""
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NothingElse()]


class _NothingElse:
    """The last finder: says what a grading worker offers."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if path is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r} where submissions are graded: there are torch, numpy, what "
                "the unit's page allows besides, the usual parts of Python's standard library, and the .py "
                "files of your own folder.",
                name=fullname,
            )

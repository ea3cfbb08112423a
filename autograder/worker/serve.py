"""The worker's side: imports one submission and answers calls to it, until the socket closes.

Everything here shares a process with hostile code and may be changed by it. Nothing that this
module answers is trusted; the grader decodes it as data and judges it.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any

import torch

from autograder.counting import Counter
from autograder.forbidden import forbid, without_autograd
from autograder.importing import SubmissionImporter
from autograder.rules import Rules
from autograder.seeding import seed_everything
from autograder.worker import wire
from autograder.worker.values import Lifting, Lowering, same_bits, state_tensors

_MAX_TEXT = 4_000
_MAX_FRAMES = 12


def serve(connection: socket.socket, layers: tuple[str, ...]) -> None:
    """Answer the grader until it hangs up."""
    channel = _Channel(connection)
    channel.send(wire.Ready(list(layers)))
    message, _ = channel.receive()
    if not isinstance(message, wire.Open):
        raise wire.WireError("the first frame must open a submission")
    importer = SubmissionImporter(message.sources, message.paths)
    forbid(message.rules.forbidden, message.paths.values())
    _hide_the_file_system()
    printed = sys.stdout = sys.stderr = _Printed()
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

    def __init__(self, channel: _Channel, importer: SubmissionImporter, rules: Rules) -> None:
        self._channel = channel
        self._rules = rules
        self._importer = importer
        self._objects: list[object] = []
        self._states: dict[int, _State] = {}  # of the objects that are modules
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
            return _raised(error, self._importer), []

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
        name = f"{step.target}.{step.name}"
        by_hand = without_autograd(name) if name in self._rules.by_hand else nullcontext()
        cost = Counter()
        with by_hand, torch.set_grad_enabled(step.grad_enabled), cost if step.counted else nullcontext():
            result = function(*args, **kwargs)

        new_modules: list[torch.nn.Module] = []
        lowering = Lowering(lambda x: self._refer(x, new_modules), strides=False)
        answer = wire.Returned(lowering.value(result), elements=cost.elements)
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
        state = self._states[handle] = _State(module)
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


@dataclass(frozen=True)
class _Snapshot:
    """A module's state before a call: clones, or what tells that a tensor was changed in place."""

    training: bool
    tensors: dict[str, torch.Tensor | tuple[int, int]]


class _State:
    """A module's parameters and buffers, found once: looking them up costs more than a small forward pass."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self.tensors = state_tensors(module)

    def snapshot(self, *, by_value: bool) -> _Snapshot:
        """`by_value` also tells what is changed behind autograd's back, as `p.data -= …` does: a module that
        is handed to a function may be trained there. A forward pass is taken not to do that to parameters;
        to buffers it is what it does: batch normalisation writes them without a trace."""

        def kept(tensor: torch.Tensor) -> torch.Tensor | tuple[int, int]:
            by_identity = not by_value and isinstance(tensor, torch.nn.Parameter)
            return _identity(tensor) if by_identity else tensor.detach().clone()

        return _Snapshot(self.module.training, {name: kept(t) for name, t in self.tensors.items()})

    def changes_since(self, before: _Snapshot) -> dict[str, torch.Tensor]:
        if any(isinstance(was, torch.Tensor) for was in before.tensors.values()):
            self.tensors = state_tensors(self.module)  # one may have been put in another's place

        def changed(name: str, tensor: torch.Tensor) -> bool:
            was = before.tensors.get(name)
            if was is None:
                return False  # a new name: the grader does not know it
            return not same_bits(tensor, was) if isinstance(was, torch.Tensor) else _identity(tensor) != was

        return {name: tensor for name, tensor in self.tensors.items() if changed(name, tensor)}


def _identity(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor._version


def _handles(step: wire.Call) -> list[int]:
    """The objects that a call is about: its target and its arguments."""
    found = [step.target] if isinstance(step.target, int) else []
    for value in (*step.args, *step.kwargs.values()):
        if isinstance(value, wire.ObjectRef):
            found.append(value.handle)
    return list(dict.fromkeys(found))


class _Channel:
    """Frames over the one socket. Bound to its functions early: a submission may patch socket and os."""

    def __init__(self, connection: socket.socket) -> None:
        self._send = connection.sendall
        self._receive_into = connection.recv_into

    def send(self, message: wire.FromWorker, tensors: list[torch.Tensor] | None = None) -> None:
        self._send(wire.pack(message, tensors or ()))

    def reply(self, reply: wire.Reply, tensors: list[torch.Tensor]) -> None:
        try:
            frame = wire.pack(reply, tensors)
        except Exception as error:  # a result too large, or of a dtype that cannot travel
            kept = wire.Raised(["RuntimeError"], f"the result cannot be sent back: {error}"[:_MAX_TEXT])
            frame = wire.pack(wire.Reply(reply.number, [kept], [0], reply.printed))
        self._send(frame)

    def receive(self) -> tuple[wire.FromGrader, list[torch.Tensor]]:
        header, payload = wire.frame_lengths(self._exactly(wire.HEAD_BYTES))
        return wire.from_grader(self._exactly(header), self._exactly(payload))

    def _exactly(self, count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            read = self._receive_into(view)
            if read == 0:
                os._exit(0)  # the grader hung up: this worker's work is done
            view = view[read:]
        return bytes(data)


class _Printed(io.TextIOBase):
    """Stands for stdout and stderr: keeps the beginning of what a call prints, drops the rest."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = _MAX_TEXT

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._room > 0:
            self._parts.append(text[: self._room])
            self._room -= len(text)
        return len(text)

    def take(self) -> str:
        text = "".join(self._parts) + ("…" if self._room < 0 else "")
        self._parts.clear()
        self._room = _MAX_TEXT
        return text


def _hide_the_file_system() -> None:
    """Imports end with what is loaded: path look-ups would only be refused, with a stranger message."""
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NothingElse()]


class _NothingElse:
    """The last finder: says what a grading worker offers."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if path is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r} where submissions are graded: there are torch, numpy, the "
                "usual parts of Python's standard library, and the .py files of your own folder.",
                name=fullname,
            )


def _raised(error: BaseException, importer: SubmissionImporter) -> wire.Raised:
    files = set(importer.paths.values())
    frames = [
        wire.Frame(os.path.basename(f.filename), f.lineno or 0, f.name[:100], (f.line or "")[:200])
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename in files
    ]
    if isinstance(error, SyntaxError) and error.filename in files:
        frames.append(
            wire.Frame(
                os.path.basename(error.filename or ""),
                error.lineno or 0,
                "<module>",
                (error.text or "").strip()[:200],
            )
        )
    return wire.Raised(
        [kind.__name__[:100] for kind in type(error).__mro__[:10]], _text(error), frames[-_MAX_FRAMES:]
    )


def _text(error: BaseException) -> str:
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:_MAX_TEXT]
    except BaseException as trouble:  # a submission's own __str__ may do anything
        return f"(its message cannot be shown: {type(trouble).__name__})"

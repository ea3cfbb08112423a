"""One case of a check on the submission's side: its calls, the objects that they made, their graphs.

Everything here shares a process with hostile code and may be changed by it. Nothing that it
answers is trusted; the grader decodes it as data and judges it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from autograder.counting import Counter
from autograder.device.place import HOST, Place, Sighting, Watch
from autograder.forbidden import call, keeping
from autograder.importing import SubmissionImporter
from autograder.rules import Rules
from autograder.seeding import seed_everything
from autograder.worker import wire
from autograder.worker.channel import raised
from autograder.worker.state import State
from autograder.worker.values import Lifting, Lowering, same_bits, state_tensors

AskGrader = Callable[[wire.Callback, list[torch.Tensor]], tuple[wire.CallbackResult, list[torch.Tensor]]]


@dataclass
class _CallRecord:
    """What a later Vjp differentiates."""

    outputs: list[torch.Tensor]
    inputs: list[torch.Tensor]
    place: Place = HOST


class Case:
    """Objects and graphs that live as long as one case; what is given tensors is computed at `place`.

    `ask_grader` calls a function of the grader that a submission was handed.
    """

    def __init__(
        self, importer: SubmissionImporter, rules: Rules, ask_grader: AskGrader, place: Place = HOST
    ) -> None:
        self._ask_grader = ask_grader
        self._rules = rules
        self._importer = importer
        self._place = place
        self._is_used = False  # whether the step at hand computes there
        self._objects: list[object] = []
        self._states: dict[int, State] = {}  # of the objects that are modules
        self._calls: list[_CallRecord] = []

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], base: int
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        self._is_used = False
        with self._place.watch() as seen:
            try:
                result, table = self._perform(step, tensors, base)
            except BaseException as error:  # SystemExit and KeyboardInterrupt are no way out either
                result, table = raised(error, self._importer), []
        if self._place.reports:
            result.on_device = _on_device(seen, result.on_device, is_used=self._is_used)
        return result, table

    def _perform(
        self, step: wire.Step, tensors: list[torch.Tensor], base: int
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        match step:
            case wire.Import(module):
                self._importer.load(module)
                return wire.Returned(None), []
            case wire.Vjp(call, cotangents):
                given = [None if c is None else tensors[base + c.index] for c in cotangents]
                return self._vjp(self._calls[call], given)
            case wire.Call():
                self._is_used = self._is_given_tensors(step)
                place = self._place if self._is_used else HOST
                lifting = Lifting(tensors, base, self._foreign_argument, trusted=True, place=place)
                return self._call(step, lifting, place)

    def _call(
        self, step: wire.Call, lifting: Lifting, place: Place
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        record = _CallRecord([], [], place)
        self._calls.append(record)  # also where the call raises: calls are counted as the grader counts them
        for state in step.states:
            self._take_over(state, lifting)
        target = (
            self._importer.load(step.target) if isinstance(step.target, str) else self._objects[step.target]
        )
        function: Callable[..., Any] = getattr(target, step.name) if step.name else target  # type: ignore[assignment]
        args = [lifting.value(x) for x in step.args]
        kwargs = {name: lifting.value(x) for name, x in step.kwargs.items()}
        before = {
            index: place.take_home(tensor).detach().clone() for index, tensor in lifting.tensors.items()
        }
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
        lowering = Lowering(lambda x: self._refer(x, new_modules), strides=False, place=self._place)
        # What a class makes is an object, also where the class is a kind of list or dict.
        made = isinstance(function, type) and type(result) is function
        value = self._refer(result, new_modules) if made else lowering.value(result)
        answer = wire.Returned(
            value, elements=cost.elements, discrete=cost.discrete, operations=cost.operations
        )
        if place.reports:
            elsewhere = [
                i for i, x in enumerate(lowering.keys) if isinstance(x, torch.Tensor) and not place.holds(x)
            ]
            is_random = bool(lifting.generators) and not place.draws_alike
            strayed = [
                name
                for h in states_before
                for name, tensor in state_tensors(self._states[h].module).items()
                if not place.holds(tensor)
            ]
            answer.on_device = wire.OnDevice(elsewhere=elsewhere, is_random=is_random, strayed=strayed[:20])
            if strayed:
                states_before.clear()  # a tensor there cannot be compared with one here
        outputs = [x for x in lowering.keys if isinstance(x, torch.Tensor) and x.requires_grad]
        inputs = [t for t in lifting.tensors.values() if t.requires_grad]
        inputs += [self._states[handle].tensors[name] for handle, name in step.wrt]
        record.outputs, record.inputs = outputs, inputs

        for module in new_modules:
            self._place.settle(module)
        answer.modules = [self._describe(module, lowering) for module in new_modules]
        for index, generator in lifting.generators:
            answer.mutated.append((index, lowering.tensor(generator.get_state())))
        for index, tensor in lifting.tensors.items():
            if not same_bits(place.take_home(tensor), before[index]):
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
        place = call.place
        pairs = [(o, c) for o, c in zip(call.outputs, cotangents, strict=True) if c is not None]
        gradients: tuple[torch.Tensor | None, ...] = (None,) * len(call.inputs)
        if pairs and call.inputs:
            outputs = [output for output, _ in pairs]
            # a result that was left elsewhere is differentiated there
            given = [place.bring(c) if place.holds(o) else c for o, c in pairs]
            gradients = torch.autograd.grad(outputs, call.inputs, given, retain_graph=True, allow_unused=True)
        lowering = Lowering(lambda x: None, strides=False)
        return wire.Gradients(
            [None if g is None else lowering.tensor(place.take_home(g.detach()).clone()) for g in gradients]
        ), lowering.tensors

    def _is_given_tensors(self, step: wire.Call) -> bool:
        """Whether the call has something to compute on: then it is made where tensors are brought to."""
        return any(h in self._states for h in _handles(step)) or any(
            map(_holds_tensors, (*step.args, *step.kwargs.values()))
        )

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
            self._place.replace(mine.tensors[name], lifting.raw(ref.index))

    def _foreign_argument(self, ref: wire.ObjectRef | wire.CallbackRef) -> object:
        if isinstance(ref, wire.ObjectRef):
            return self._objects[ref.handle]
        return lambda *args: self._call_back(ref.number, args)

    def _call_back(self, number: int, args: tuple[object, ...]) -> object:
        lowering = Lowering(lambda x: self._refer(x, []), strides=False, place=self._place)
        answer, tensors = self._ask_grader(
            wire.Callback(number, [lowering.value(x) for x in args]), lowering.tensors
        )
        if answer.error is not None:
            raise RuntimeError(answer.error)
        place = self._place if lowering.tensors else HOST
        return Lifting(tensors, 0, self._foreign_argument, trusted=True, place=place).value(answer.value)


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


def _holds_tensors(value: wire.Value) -> bool:
    match value:
        case wire.TensorRef():
            return True
        case wire.TupleOf(items) | wire.ListOf(items):
            return any(map(_holds_tensors, items))
        case wire.DictOf(pairs):
            return any(_holds_tensors(x) for pair in pairs for x in pair)
    return False


def _on_device(seen: Watch, known: wire.OnDevice | None, *, is_used: bool) -> wire.OnDevice:
    def told(sightings: list[Sighting]) -> list[Sighting]:
        return [
            replace(s, what=s.what[:2000], function=s.function[:100], code=s.code[:200])
            for s in sightings[:20]
        ]

    known = known or wire.OnDevice()
    is_random = seen.is_random or known.is_random
    return wire.OnDevice(told(seen.breaches), told(seen.transfers), known.elsewhere, is_random, is_used)

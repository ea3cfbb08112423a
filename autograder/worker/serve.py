"""The worker's side: imports one submission and answers calls to it, until the socket closes.

Everything here shares a process with hostile code and may be changed by it. Nothing that this
module answers is trusted; the grader decodes it as data and judges it.
"""

from __future__ import annotations

import socket
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter

import torch

from autograder.device.places import place_called
from autograder.forbidden import forbid
from autograder.importing import SubmissionImporter
from autograder.worker import wire
from autograder.worker.case import Case
from autograder.worker.channel import Channel, Printed


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

    def ask_grader(
        callback: wire.Callback, tensors: list[torch.Tensor]
    ) -> tuple[wire.CallbackResult, list[torch.Tensor]]:
        channel.send(callback, tensors)
        answer, table = channel.receive()
        if not isinstance(answer, wire.CallbackResult):
            raise wire.WireError("the result of a callback was expected")
        return answer, table

    files = message.paths.values()
    case = Case(importer, message.rules, ask_grader)
    while True:
        request, tensors = channel.receive()
        if not isinstance(request, wire.Request):
            raise wire.WireError("a request was expected")
        for script in request.scripts:
            if script.reset:
                case = Case(importer, message.rules, ask_grader, place_called(script.place, files))
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

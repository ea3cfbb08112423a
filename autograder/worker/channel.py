"""A worker's way to the grader, and what it keeps of prints and exceptions on the way.

Like all of a worker, it shares a process with hostile code: nothing that it sends is trusted.
"""

from __future__ import annotations

import io
import os
import socket
import traceback

import torch

from autograder.importing import SubmissionImporter
from autograder.worker import frames, wire

_MAX_TEXT = 4_000
_MAX_FRAMES = 12


class Channel:
    """Frames over the one socket. Bound to its functions early: a submission may patch socket and os."""

    def __init__(self, connection: socket.socket) -> None:
        self._send = connection.sendall
        self._receive_into = connection.recv_into

    def send(self, message: wire.FromWorker, tensors: list[torch.Tensor] | None = None) -> None:
        self._send(frames.pack(message, tensors or ()))

    def reply(self, reply: wire.Reply, tensors: list[torch.Tensor]) -> None:
        try:
            frame = frames.pack(reply, tensors)
        except Exception as error:  # a result too large, or of a dtype that cannot travel
            kept = wire.Raised(["RuntimeError"], f"the result cannot be sent back: {error}"[:_MAX_TEXT])
            frame = frames.pack(wire.Reply(reply.number, [kept], [0], reply.printed))
        self._send(frame)

    def receive(self) -> tuple[wire.FromGrader, list[torch.Tensor]]:
        header, payload = frames.frame_lengths(self._exactly(frames.HEAD_BYTES))
        return frames.from_grader(self._exactly(header), self._exactly(payload))

    def _exactly(self, count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            read = self._receive_into(view)
            if read == 0:
                os._exit(0)  # the grader hung up: this worker's work is done
            view = view[read:]
        return bytes(data)


class Printed(io.TextIOBase):
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


def raised(error: BaseException, importer: SubmissionImporter) -> wire.Raised:
    files = set(importer.paths.values())
    lines = [
        wire.Frame(os.path.basename(f.filename), f.lineno or 0, f.name[:100], (f.line or "")[:200])
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename in files
    ]
    if isinstance(error, SyntaxError) and error.filename in files:
        lines.append(
            wire.Frame(
                os.path.basename(error.filename or ""),
                error.lineno or 0,
                "<module>",
                (error.text or "").strip()[:200],
            )
        )
    return wire.Raised(
        [kind.__name__[:100] for kind in type(error).__mro__[:10]], _text(error), lines[-_MAX_FRAMES:]
    )


def _text(error: BaseException) -> str:
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:_MAX_TEXT]
    except BaseException as trouble:  # a submission's own __str__ may do anything
        return f"(its message cannot be shown: {type(trouble).__name__})"

"""The fork server: imports what submissions may import once, then forks workers in milliseconds.

    python -I -m autograder.worker.zygote CONTROL_FD SANDBOX [MODULE ...]

It never imports a solution or a check and never runs a submission: a worker is forked, locks
itself down, and only then is sent one. One datagram a message on the control socket, JSON:

    grader -> zygote   {"fork": {"memory_bytes", "cpu_seconds"}} with the worker's end of a socket pair
    zygote -> grader   {"ready": true} once; {"forked": pid} with a pidfd; {"exit": pid, "status": number}
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import selectors
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from autograder import sandbox
from autograder.sandbox import Prepared

# One thread before and after a fork: a forked child hangs on an OpenMP pool that its parent used.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

# What a submission may import. A worker has no file system, so what is not here cannot be imported
# there. The private parts of torch are those that it imports only when first used: autograd.grad
# with cotangents wants symbolic_shapes (0.4 s), torch.optim wants _dynamo (1.6 s).
PRELOADED = (
    *("torch", "torch.nn.functional", "torch.nn.utils.rnn", "torch.nn.init", "torch.optim", "torch.func"),
    *("torch.linalg", "torch.distributions", "torch.utils.data", "torch.nn.utils.parametrizations"),
    *("torch._dynamo", "torch.fx.experimental.symbolic_shapes", "torch.masked", "torch.utils.serialization"),
    "torch._subclasses.schema_check_mode",  # repr(tensor)
    *("numpy", "numpy.random", "numpy.linalg", "jaxtyping", "typing_extensions"),
    *(
        "abc",
        "argparse",
        "array",
        "bisect",
        "calendar",
        "cmath",
        "collections.abc",
        "contextlib",
        "copy",
        "csv",
    ),
    *(
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "inspect",
        "io",
    ),
    *(
        "itertools",
        "json",
        "logging",
        "math",
        "numbers",
        "operator",
        "os",
        "pathlib",
        "pprint",
        "queue",
        "random",
    ),
    *("re", "statistics", "string", "struct", "sys", "textwrap", "threading", "time", "timeit", "traceback"),
    *("types", "typing", "unicodedata", "unittest", "unittest.mock", "warnings", "weakref"),
    *(
        "encodings.utf_8",
        "encodings.ascii",
        "encodings.latin_1",
        "encodings.idna",
        "concurrent.futures.thread",
    ),
)
OPTIONAL = ("einops",)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    sandboxed = sys.argv[2] == "sandbox"
    namespaces: tuple[str, ...] = ()
    if sandboxed:  # before torch: there must be one thread, and a PID namespace begins with a fork
        namespaces = sandbox.enter_namespaces()
        if sandbox.enter_pid_namespace():
            namespaces += ("pid",)
    _preload(sys.argv[3:])
    prepared = sandbox.prepare() if sandboxed else None
    gc.collect()
    gc.freeze()  # the collector must not touch, and so copy, the pages shared with every worker
    control.send(json.dumps({"ready": True}).encode())
    _Zygote(control, prepared, namespaces).run()


def _preload(more: Sequence[str]) -> None:
    for name in (*PRELOADED, *more):
        importlib.import_module(name)
    for name in OPTIONAL:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    import torch

    from autograder.worker import frames, serve, wire  # noqa: F401

    torch.set_num_threads(1)
    # Touch what is imported or set up on first use: frames, the autograd engine, an optimiser, an RNN.
    head = frames.pack(
        wire.Ready([]), [torch.ones(1, dtype=dtype) for dtype in (torch.float64, torch.bfloat16, torch.bool)]
    )
    header, payload = frames.frame_lengths(head[: frames.HEAD_BYTES])
    frames.from_worker(head[frames.HEAD_BYTES :][:header], head[-payload:])
    x = torch.ones(2, 3, requires_grad=True)
    torch.autograd.grad([(x @ x.mT).softmax(-1)], [x], [torch.ones(2, 2)])
    torch.nn.GRU(3, 3)(x[None])[0].sum().backward()
    torch.optim.Adam([x]).step()
    if len(os.listdir("/proc/self/task")) != 1:
        raise SystemExit("the zygote has more than one thread; a worker forked from it could hang")


class _Zygote:
    def __init__(
        self, control: socket.socket, prepared: Prepared | None, namespaces: tuple[str, ...]
    ) -> None:
        self._control = control
        self._prepared = prepared
        self._layers_around = (sandbox.describe(namespaces),) if namespaces else ()
        self._uids = itertools.cycle(sandbox.throwaway_uids() if prepared is not None else ())
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    self._handle_request()
                else:
                    self._report_exit(pid=key.data, pidfd=key.fd)

    def _handle_request(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, 65536, 1)
        except ConnectionError:
            message = b""
        if not message:
            os._exit(0)  # the grader is gone; in a PID namespace every worker goes with this process
        [connection] = descriptors
        uid = next(self._uids, None)
        pid = os.fork()
        if pid == 0:
            self._become_worker(connection, json.loads(message)["fork"], uid)
        os.close(connection)
        pidfd = os.pidfd_open(pid)
        self._selector.register(pidfd, selectors.EVENT_READ, data=pid)
        socket.send_fds(self._control, [json.dumps({"forked": pid}).encode()], [pidfd])

    def _report_exit(self, pid: int, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._control.send(json.dumps({"exit": pid, "status": status}).encode())

    def _become_worker(self, connection: int, limits: dict[str, int], uid: int | None) -> NoReturn:
        """Never returns, and never runs a submission outside the lock-down that was asked for."""
        from autograder.worker.serve import serve

        try:
            self._selector.close()
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=connection)
            layers: tuple[str, ...] = ()
            if self._prepared is not None:
                locked = sandbox.lock(self._prepared, sandbox.Limits(**limits), channel.detach(), uid)
                layers = (*self._layers_around, *locked)
                channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=sandbox.KEPT_DESCRIPTOR)
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        try:
            serve(channel, layers)
        finally:
            os._exit(0)


if __name__ == "__main__":
    main()

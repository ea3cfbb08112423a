"""Runs pytest as a command does, forked from a process that has imported torch, which takes longest."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# Libraries only: what pytest rewrites, plugins and checks, has to be imported by the run itself.
_CONTEXT.set_forkserver_preload(
    ["torch", "torch.utils._python_dispatch", "numpy", "msgspec", "safetensors.torch"]
)


def run_pytest(
    options: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`python -m pytest OPTIONS`, its status and what it printed; `env` is added to this process's own."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        process = _CONTEXT.Process(
            target=_run, args=(list(options), str(cwd), {**os.environ, **env}, _Descriptor(out.fileno()))
        )
        process.start()
        process.join()
        out.seek(0)
        return subprocess.CompletedProcess(options, process.exitcode or 0, out.read(), "")


class _Descriptor:
    """A file descriptor that travels to another process."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        from multiprocessing import reduction

        return _Descriptor._received, (reduction.DupFd(self.number),)

    @staticmethod
    def _received(duplicate: object) -> _Descriptor:
        return _Descriptor(duplicate.detach())  # type: ignore[attr-defined]


def _run(options: list[str], cwd: str, env: dict[str, str], out: _Descriptor) -> None:
    import pytest

    os.dup2(out.number, 1)
    os.dup2(out.number, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path.insert(0, cwd)
    status = pytest.main(options)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(status))

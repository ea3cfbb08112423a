"""What holds on this machine, found out by trying: `autograder doctor`.

One child is locked down, tries to get out, and is looked at from outside. Landlock, the limits and the
namespaces are tried in children of their own: behind the whole lock-down the seccomp filter would hide that
one of them is missing.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.sandbox import kernel, landlock, limits, namespaces
from autograder.sandbox.layers import Layer, LayerStatus, SandboxError
from autograder.sandbox.limits import Limits
from autograder.sandbox.lock import KEPT_DESCRIPTOR, Prepared, lock, prepare, throwaway_uids

if sys.platform == "linux":
    import fcntl

_LIMITS = Limits(memory_bytes=1 << 28, cpu_seconds=10, threads=2)
_TOO_MUCH_MEMORY = 1 << 29
_UNEXPECTED = "Please report this with your kernel's version and the kind of container."

Findings = dict[str, Any]
ProcStatus = dict[str, str]  # the lines of /proc/<pid>/status


def probe() -> list[LayerStatus]:
    """Try every layer in forked children and say which hold here, in the order in which `lock` takes them."""
    if sys.platform != "linux":
        remedy = "Grade on Linux, or in a Linux container or virtual machine."
        return [LayerStatus(layer, False, f"{sys.platform} has no such layer.", remedy) for layer in Layer]
    found = [*_probe_lock(), _probe_rlimits(), _probe_landlock(), _probe_namespaces()]
    return sorted(found, key=lambda status: list(Layer).index(status.layer))


def _probe_lock() -> list[LayerStatus]:
    try:
        prepared = prepare()
        uid = throwaway_uids()[-1] if throwaway_uids() else None
        leaks, seen = _ask_child(lambda: _leaks_after_lock(prepared, uid))
    except SandboxError as error:
        text = str(error).removeprefix(f"{Layer.SECCOMP}: ")
        missing, _, remedy = text.partition(": ")
        return [LayerStatus(Layer.SECCOMP, False, f"{missing}; grading needs it.", remedy or _UNEXPECTED)]
    ids = {*seen["Uid"].split(), *seen["Gid"].split(), *seen["Groups"].split()}
    capabilities = {seen[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    found = [
        _status(
            Layer.CLOSED_DESCRIPTORS, leaks["descriptors"], "A worker has one open descriptor, and /dev/null."
        ),
        _status(Layer.EMPTY_ENVIRONMENT, leaks["environment"], "A worker sees no environment variable."),
        _status(Layer.CAPABILITIES, [c for c in capabilities if int(c, 16)], "A worker has no capability."),
        _status(
            Layer.NO_NEW_PRIVS, ["0"] * (seen["NoNewPrivs"] != "1"), "No program can give a worker rights."
        ),
        _status(
            Layer.SECCOMP, leaks["escapes"], "A worker was refused files, sockets, processes and signals."
        ),
    ]
    if uid is not None:
        return [_status(Layer.UID, ids - {str(uid)}, "A worker has a throw-away uid and no group."), *found]
    detail = "A worker keeps your uid: only root can give it another. The other layers hold without."
    return [
        LayerStatus(Layer.UID, False, detail, "Nothing needs doing; root in a container has this layer."),
        *found,
    ]


def _status(layer: Layer, leaks: Any, when_none: str) -> LayerStatus:
    if leaks:
        return LayerStatus(layer, False, f"Got through: {', '.join(map(str, leaks))}.", _UNEXPECTED)
    return LayerStatus(layer, True, when_none)


def _leaks_after_lock(prepared: Prepared, uid: int | None) -> Findings:
    os.environ["AUTOGRADER_PROBE"] = "not to be seen"
    lock(prepared, _LIMITS, KEPT_DESCRIPTOR, uid)
    escapes: dict[str, Callable[[], object]] = {
        "opening a file": lambda: os.open("/", os.O_RDONLY),
        "looking a file up": lambda: os.stat("/"),
        "making a socket": socket.socket,
        "starting a process": _start_process,
        "signalling another process": lambda: os.kill(os.getppid(), 0),
    }
    return {
        "escapes": [name for name, attempt in escapes.items() if _error(attempt) != errno.EPERM],
        "environment": list(os.environ),
        "descriptors": [fd for fd in range(KEPT_DESCRIPTOR + 1, 1024) if _is_open(fd)],
    }


def _probe_rlimits() -> LayerStatus:
    def leaks() -> Findings:
        limits.apply(_LIMITS, own_uid=False)
        attempts: dict[str, tuple[Callable[[], object], int]] = {
            "more memory": (lambda: mmap.mmap(-1, _TOO_MUCH_MEMORY), errno.ENOMEM),
            "more descriptors": (lambda: [os.dup(0) for _ in range(_LIMITS.open_files)], errno.EMFILE),
        }
        return {
            "leaks": [name for name, (attempt, expected) in attempts.items() if _error(attempt) != expected]
        }

    try:
        found, _ = _ask_child(leaks)
    except SandboxError as error:
        return LayerStatus(Layer.RLIMITS, False, f"{error}.", _UNEXPECTED)
    return _status(Layer.RLIMITS, found["leaks"], "A worker that took too much memory was refused.")


def _probe_landlock() -> LayerStatus:
    abi = landlock.abi()
    if not abi:
        detail = "The kernel has no Landlock, or it is switched off; the seccomp filter alone denies files."
        return LayerStatus(
            Layer.LANDLOCK, False, detail, "Use Linux 5.13 or later with `landlock` in its lsm= list."
        )
    covered = landlock.covers(abi)
    parent = os.getpid()

    def leaks() -> Findings:
        connection = socket.socket()
        attempts: dict[str, tuple[Callable[[], object], int]] = {
            "files": (lambda: os.open("/", os.O_RDONLY), errno.EACCES),
            "TCP": (lambda: connection.connect(("127.0.0.1", 9)), errno.EACCES),
            "signals": (lambda: os.kill(parent, 0), errno.EPERM),
        }
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict_self(abi)
        tried = {name: attempt for name, attempt in attempts.items() if name in covered}
        return {"leaks": [name for name, (attempt, expected) in tried.items() if _error(attempt) != expected]}

    try:
        found, _ = _ask_child(leaks)
    except SandboxError as error:
        return LayerStatus(Layer.LANDLOCK, False, f"{error}.", _UNEXPECTED)
    return _status(Layer.LANDLOCK, found["leaks"], f"ABI {abi} keeps a worker from {', '.join(covered)}.")


def _probe_namespaces() -> LayerStatus:
    def entered() -> Findings:
        names = namespaces.enter_namespaces()
        if namespaces.enter_pid_namespace():
            names += ("pid",)
        interfaces = [name for _, name in socket.if_nameindex()]
        leaks = [name for name in interfaces if "net" in names and name != "lo"]
        return {"names": names, "leaks": leaks}

    remedy = (
        "Nothing needs doing: the other layers hold without. Containers and AppArmor often forbid namespaces."
    )
    try:
        found, _ = _ask_child(entered)
    except SandboxError as error:
        return LayerStatus(Layer.NAMESPACES, False, f"{error}.", remedy)
    if not found["names"]:
        return LayerStatus(Layer.NAMESPACES, False, "The kernel refuses every namespace.", remedy)
    return _status(Layer.NAMESPACES, found["leaks"], f"Workers have their own: {', '.join(found['names'])}.")


def _ask_child(question: Callable[[], Findings]) -> tuple[Findings, ProcStatus]:
    """Answer in a forked child whose way out is KEPT_DESCRIPTOR, and look at it before it ends."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()  # or the parent's closing would not be seen
        os.dup2(theirs.detach(), KEPT_DESCRIPTOR)
        _answer(question)
    theirs.close()
    with ours, ours.makefile("r") as lines:
        line = lines.readline()
        status = Path(f"/proc/{child}/status").read_text() if line else ""
    _, code = os.waitpid(child, 0)
    if not line:
        raise SandboxError(f"the child ended early, with wait status {code}")
    findings: Findings = json.loads(line)
    if "error" in findings:
        raise SandboxError(findings["error"])
    return findings, {
        name: value.strip() for name, _, value in (row.partition(":") for row in status.splitlines())
    }


def _answer(question: Callable[[], Findings]) -> None:
    code = 1
    try:
        try:
            findings = question()
        except Exception as error:
            findings = {"error": str(error)}
        os.write(KEPT_DESCRIPTOR, json.dumps(findings).encode() + b"\n")
        os.read(KEPT_DESCRIPTOR, 1)  # until the parent has looked
        code = 0
    finally:
        os._exit(code)


def _error(attempt: Callable[[], object]) -> int | None:
    """The errno with which an attempt failed, None when it succeeded."""
    try:
        attempt()
    except OSError as error:
        return error.errno
    return None


def _is_open(descriptor: int) -> bool:
    return _error(lambda: fcntl.fcntl(descriptor, fcntl.F_GETFD)) is None


def _start_process() -> None:
    if os.fork() == 0:
        os._exit(0)

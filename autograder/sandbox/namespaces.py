"""Namespaces around the zygote: its workers see no network, no other process and no System V memory.

They cost 12 to 20 ms a worker, so they are made once, around the zygote, by its launcher:

    in_force = enter_namespaces()           # first thing in the process: one thread, torch not imported
    if enter_pid_namespace():               # returns in the child only, which is process 1 in there
        in_force += ("pid",)

Where the kernel refuses (a container, AppArmor on Ubuntu), both say so and change nothing; the other layers
hold.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import NoReturn

from autograder.sandbox import kernel
from autograder.sandbox.layers import Layer

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_NAMESPACES = {"net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000}


def enter_namespaces() -> tuple[str, ...]:
    """Leave the machine's net, ipc and uts namespaces where the kernel allows it. Returns those left.

    Who is not root needs a user namespace for that; its uids are those outside. Call it once, before any
    thread.
    """
    if sys.platform != "linux":
        return ()
    want_user = os.geteuid() != 0
    allowed = _try_in_child(want_user)
    if not allowed:
        return ()
    _enter(allowed, want_user)
    return ("user", *allowed) if want_user else allowed


def enter_pid_namespace() -> bool:
    """Go on as process 1 of a new PID namespace; False, in the same process, where the kernel refuses.

    The process is forked: the child returns True. The parent never returns; it ends as the child ends, with
    the same exit status or by the same signal. When the parent ends first, the kernel kills the child, and
    with process 1 of the namespace all workers. Call it after `enter_namespaces`, with one thread. Numbers
    from `os.getpid` and `os.fork` are the namespace's own from then on: name a process to the outside by a
    pidfd.
    """
    if sys.platform != "linux":
        return False
    try:
        kernel.unshare(_CLONE_NEWPID)
    except OSError:
        return False
    parent_lives, held_by_parent = os.pipe()
    child = os.fork()
    if child:
        os.close(parent_lives)
        _end_like(child, held_by_parent)
    os.close(held_by_parent)
    kernel.die_with_parent()
    parent_gone, _, _ = select.select([parent_lives], [], [], 0)  # it may have died before the line above
    if parent_gone:
        os._exit(1)
    os.close(parent_lives)
    return True


def describe(namespaces: tuple[str, ...]) -> str:
    """The layer's name with the namespaces in force, for people: `namespaces (net, ipc, pid)`."""
    return f"{Layer.NAMESPACES} ({', '.join(namespaces)})"


def _try_in_child(want_user: bool) -> tuple[str, ...]:
    """Find out in a child what works: a user namespace is for ever, and AppArmor may have made it useless."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        allowed: list[str] = []
        try:
            _enter((), want_user)
            for name in _NAMESPACES:
                try:
                    _enter((name,), want_user=False)
                except OSError:
                    continue
                allowed.append(name)
        except OSError:
            pass
        finally:
            os.write(writer, " ".join(allowed).encode())
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        names = tuple(answer.read().split())
    os.waitpid(child, 0)
    return names


def _enter(names: tuple[str, ...], want_user: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()  # inside an unmapped namespace both are 65534
    if want_user:
        kernel.unshare(_CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    for name in names:
        kernel.unshare(_NAMESPACES[name])


def _write(path: str, text: str) -> None:
    # One write each: the kernel takes a map only whole.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _end_like(child: int, held_open: int) -> NoReturn:
    """Wait for the child and end in the same way. A signal from outside ends us, and with us the child."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    # The child's control socket must be seen to close when the child closes it.
    os.closerange(3, held_open)
    kernel.close_descriptors_from(held_open + 1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        cause = os.WTERMSIG(status)
        if cause != signal.SIGKILL:
            signal.signal(cause, signal.SIG_DFL)
        os.kill(os.getpid(), cause)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)

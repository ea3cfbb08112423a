"""Landlock with nothing allowed: no file, no TCP, and neither signals nor abstract sockets to the outside.

Behind the seccomp filter this is the second wall. It cannot be the only one: Landlock says nothing about
`stat`, `chmod`, UDP or io_uring.
"""

from __future__ import annotations

import os
import struct

from autograder.sandbox import kernel

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # one number on every architecture
_CREATE_RULESET_VERSION = 1

# The number of file rights that each version of the ABI knows (they are consecutive bits).
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_SINCE, _NET_BIND_AND_CONNECT_TCP = 4, 0b11
_SCOPES_SINCE, _SCOPE_ABSTRACT_UNIX_AND_SIGNAL = 6, 0b11


def abi() -> int:
    """The kernel's version of the Landlock ABI, 0 where there is none or it is switched off."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def covers(version: int) -> tuple[str, ...]:
    """What a ruleset of this version keeps from a worker, in words."""
    kept: tuple[str, ...] = ("files",) if version >= 1 else ()
    if version >= _NET_SINCE:
        kept += ("TCP",)
    if version >= _SCOPES_SINCE:
        kept += ("abstract sockets", "signals")
    return kept


def restrict_self(version: int) -> None:
    """Deny this thread, for good, everything that version `version` can deny. Wants no_new_privs.

    Raises OSError when the kernel refuses.
    """
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    net = _NET_BIND_AND_CONNECT_TCP if version >= _NET_SINCE else 0
    scopes = _SCOPE_ABSTRACT_UNIX_AND_SIGNAL if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", files, net, scopes)  # an older kernel accepts trailing zeros
    ruleset = kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)

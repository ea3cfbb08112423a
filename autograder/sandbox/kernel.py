"""The few kernel calls that Python 3.11 does not wrap. Any system can import this."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import struct

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

# System calls added since Linux 5.1 have one number on every architecture.
SYS_CLOSE_RANGE = 436

_CAPABILITY_VERSION_3 = 0x20080522
_HIGHEST_CAPABILITY = 63  # of the ABI; the kernel answers EINVAL beyond those it knows


@functools.cache
def libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    return library


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by number. Integers are passed as longs, bytes and None as pointers."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    return _checked(libc().syscall(ctypes.c_long(number), *converted), f"system call {number}")


def prctl(option: int, *arguments: int) -> int:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(libc().prctl(option, *padded), f"prctl {option}")


def unshare(flags: int) -> None:
    _checked(libc().unshare(ctypes.c_int(flags)), f"unshare {flags:#x}")


def close_descriptors_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    try:
        syscall(SYS_CLOSE_RANGE, first, 2**32 - 1, 0)
    except OSError:  # before Linux 5.9, or forbidden by a container's filter
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= first:
                os.closerange(int(name), int(name) + 1)


def drop_bounding_set() -> None:
    """Empty the capability bounding set as far as we may: without CAP_SETPCAP no_new_privs must do."""
    for capability in range(_HIGHEST_CAPABILITY + 1):
        if libc().prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            return


def drop_capabilities() -> None:
    """Empty the ambient, effective, permitted and inheritable sets."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(libc().capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))), "capset")


def capabilities() -> int:
    """The effective, permitted and inheritable sets of this thread, or-ed into one mask."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    sets = ctypes.create_string_buffer(24)
    _checked(libc().capget(header, sets), "capget")
    low_e, low_p, low_i, high_e, high_p, high_i = struct.unpack("=6I", sets.raw)
    return (high_e | high_p | high_i) << 32 | low_e | low_p | low_i


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends. A change of uid undoes it."""
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))

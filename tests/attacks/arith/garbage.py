"""Bytes that are no frame."""

import itertools
import os
import struct

HEADS = itertools.cycle(
    [
        os.urandom(4096),
        struct.pack("<4sIQ", b"AGW1", 2**32 - 1, 0),
        struct.pack("<4sIQ", b"AGW1", 0, 2**64 - 1),
        struct.pack("<4sIQ", b"AGW1", 3, 0) + b"{}}",
        struct.pack("<4sIQ", b"AGW1", 2, 20) + b"{}" + os.urandom(20),
        struct.pack("<4sIQ", b"AGW1", 200_000, 0) + b"[" * 200_000,
        b"\x80\x04\x95cposix\nsystem\n(S'touch pickled'\ntR.",
    ]
)


def scale(x, factor):
    os.write(3, next(HEADS))
    return x


noise = scale

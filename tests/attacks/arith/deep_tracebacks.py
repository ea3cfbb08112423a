"""A traceback of a million lines, as far as the stack goes."""

import sys

from honest import scale  # noqa: F401

LINES = '  File "arith.py", line 1, in passed\n' * 1_000_000


def fall(depth):
    if depth == 0:
        raise RuntimeError(LINES)
    fall(depth - 1)


def noise(n, generator):
    sys.setrecursionlimit(10**6)
    fall(5_000)

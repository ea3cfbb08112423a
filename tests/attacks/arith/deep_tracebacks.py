"""A traceback of a million lines, as far as the stack goes."""

import sys

from honest import scale  # noqa: F401


def fall(depth):
    if depth == 0:
        raise RuntimeError("\n".join(f'  File "arith.py", line {i}, in passed' for i in range(1_000_000)))
    fall(depth - 1)


def noise(n, generator):
    sys.setrecursionlimit(10**6)
    fall(20_000)

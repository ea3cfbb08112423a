"""Every way to end a program."""

import itertools
import os
import sys


def leave(error):
    raise error


WAYS = itertools.cycle(
    [
        lambda: sys.exit(0),
        lambda: sys.exit("passed"),
        lambda: leave(KeyboardInterrupt()),
        lambda: leave(GeneratorExit()),
        lambda: leave(StopIteration()),
        lambda: leave(SystemExit(True)),
        quit,
        os.abort,
        lambda: os._exit(0),
    ]
)


def scale(x, factor):
    next(WAYS)()


def noise(n, generator):
    next(WAYS)()

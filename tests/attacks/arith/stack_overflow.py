import sys

from honest import scale  # noqa: F401


class Nested:
    def __init__(self, inside):
        self.inside = inside

    def __repr__(self):
        return repr(self.inside)


def noise(n, generator):
    sys.setrecursionlimit(10**9)
    x = None
    for _ in range(10**6):
        x = Nested(x)
    return repr(x)

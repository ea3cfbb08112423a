"""Objects that act when they are unpickled, copied, compared or shown."""

import itertools

import target
from honest import scale  # noqa: F401


class Bomb:
    def __reduce__(self):
        return open, (target.marker("pickle"), "w")

    __reduce_ex__ = __getstate__ = lambda self, *args: self.__reduce__()

    def __repr__(self):
        return open(target.marker("repr"), "w").name

    __str__ = __format__ = __hash__ = __eq__ = __repr__


class Sequence(list):
    __reduce__ = __reduce_ex__ = __repr__ = Bomb.__reduce__


MAKERS = itertools.cycle([Bomb, lambda: [Bomb()], lambda: {"a": Bomb()}, lambda: Sequence([1])])


def noise(n, generator):
    return next(MAKERS)()

"""Objects whose type has an odd name, or answers oddly."""

import itertools

from honest import scale  # noqa: F401

NAMES = itertools.cycle(["x" * 1_000_000, "\x1b[31m", "Tensor", "__class__", "None", "\ud800", ""])


class Liar(type):
    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True


def noise(n, generator):
    return Liar(next(NAMES), (), {})()

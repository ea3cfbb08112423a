import ctypes

from honest import scale  # noqa: F401


def noise(n, generator):
    return ctypes.string_at(0)

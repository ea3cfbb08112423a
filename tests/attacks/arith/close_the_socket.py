import os
import time

from honest import scale  # noqa: F401


def noise(n, generator):
    os.close(3)
    time.sleep(1000)

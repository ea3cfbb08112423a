import signal

from honest import scale  # noqa: F401

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        continue


def noise(n, generator):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue

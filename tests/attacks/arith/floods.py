"""Prints and messages that would fill a disk, drive a terminal or run in a page."""

import sys

from honest import scale as honest_scale

MARKUP = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\x00\u202e<script>alert(1)</script>[red]{{x}}${x}"


def scale(x, factor):
    print("x" * 10_000_000)
    sys.stderr.write("y" * 10_000_000)
    sys.__stdout__.write("z" * 1_000_000)
    return honest_scale(x, factor)


def noise(n, generator):
    print(MARKUP * 1000)
    raise type(MARKUP.replace("\x00", ""), (Exception,), {})(MARKUP * 10_000)

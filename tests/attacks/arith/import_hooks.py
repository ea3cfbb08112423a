"""Sits in every import: it meets no import of the grader."""

# ruff: noqa: SIM115

import builtins
import contextlib
import sys

import target
from honest import noise, scale  # noqa: F401


def mark(what):
    with contextlib.suppress(OSError):
        open(target.marker(what), "w")


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        mark("hook")


sys.meta_path.insert(0, Finder)
sys.path_hooks.insert(0, lambda path: mark("path-hook"))
sys.path.insert(0, target.SOLUTIONS)
imported = builtins.__import__


def importing(*args, **kwargs):
    if "solution" in args[0]:
        mark("import")
    return imported(*args, **kwargs)


builtins.__import__ = importing

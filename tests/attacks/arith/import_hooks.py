"""Sits in every import: it meets no import of the grader."""

# ruff: noqa: SIM115

import builtins
import sys

import target
from honest import noise, scale  # noqa: F401


class Finder:
    def find_spec(self, name, path=None, target=None):
        open(globals()["target"].marker("hook"), "w")


sys.meta_path.insert(0, Finder)
sys.path_hooks.insert(0, lambda path: open(target.marker("path-hook"), "w"))
sys.path.insert(0, target.SOLUTIONS)
imported = builtins.__import__


def importing(*args, **kwargs):
    if "solution" in args[0]:
        open(target.marker("import"), "w")
    return imported(*args, **kwargs)


builtins.__import__ = importing

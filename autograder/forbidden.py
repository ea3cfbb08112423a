"""Keeps a submission from calling the library function that it is asked to write.

A forbidden name is wrapped where it stands. The wrapper looks who calls: code of a submission
gets ForbiddenCall, everybody else (an oracle, torch itself) the original. It guards against
honest short cuts; whoever digs for the original finds it.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import torch

_TORCH = os.path.dirname(torch.__file__)


class ForbiddenCall(RuntimeError):
    """A submission called what it is asked to write itself."""


_wrapped: dict[str, set[str]] = {}


def forbid(names: Iterable[str], files: Iterable[str]) -> None:
    """Make every dotted name in `names` raise ForbiddenCall when code in one of `files` calls it.

    Calling again for other files adds them to the names given. Raises ValueError for a name that
    does not exist: a manifest must not forbid by misspelling.
    """
    for name in names:
        if name in _wrapped:
            _wrapped[name].update(files)
            continue
        owner_name, _, attribute = name.rpartition(".")
        try:
            owner: Any = importlib.import_module(owner_name)
            target = getattr(owner, attribute)
        except (ImportError, AttributeError, ValueError):
            raise ValueError(f"forbidden name {name!r} does not exist") from None
        _wrapped[name] = set(files)
        if isinstance(target, type):
            target.__init__ = _guard(target.__init__, name)  # type: ignore[misc]
        else:
            setattr(owner, attribute, _guard(target, name))


def allow(names: Iterable[str], files: Iterable[str]) -> None:
    """Undo `forbid` for these files; the wrappers stay and let everybody through."""
    for name in names:
        _wrapped.get(name, set()).difference_update(files)


def _guard(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    files = _wrapped[name]

    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if files and _is_called_from(files):
            raise ForbiddenCall(f"{name} is what this unit asks you to write yourself; do not call it.")
        return original(*args, **kwargs)

    return guarded


def _is_called_from(files: set[str]) -> bool:
    """Whether the nearest caller outside torch itself is code in one of `files`."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file in files:
            return True
        if file != __file__ and not file.startswith(_TORCH):
            return False
        frame = frame.f_back
    return False

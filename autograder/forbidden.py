"""Keeps a submission from calling the library function that it is asked to write, and from autograd
where it is asked for the gradient by hand.

A forbidden name is wrapped where it stands. The wrapper looks who calls: code of a submission
gets ForbiddenCall, everybody else (an oracle, torch itself) the original. So does `call`, by which
checks call a submission, lest it hands out the library's function under its own name. It guards
against honest short cuts; whoever digs for the original finds it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch

from autograder.rules import Rules

_TORCH = os.path.dirname(torch.__file__) + os.sep
# A library class may call a forbidden one on its way, as every convolution of PyTorch Geometric does.
_LIBRARIES = (_TORCH, os.path.dirname(_TORCH[:-1]) + os.sep + "torch_geometric" + os.sep)
_CONTEXTLIB = contextlib.__file__


class ForbiddenCall(RuntimeError):
    """A submission called what it is asked to write itself."""


@dataclass
class _Refused:
    """The files whose code may not call a name: at all, or while an exercise runs that asks for it."""

    always: list[Collection[str]] = field(default_factory=list)
    within: list[Collection[str]] = field(default_factory=list)


_refused: dict[str, _Refused] = {}
_running: list[tuple[str, tuple[str, ...]]] = []  # exercises that run now, and what they may not call

# All of torch's ways to differentiate end here: backward passes in the first, forward mode in the others.
_WAYS_INTO_AUTOGRAD = (
    ("torch.autograd.graph", "_engine_run_backward"),
    ("torch.autograd", "_engine_run_backward"),  # imported there by name
    ("torch.autograd.forward_ad", "enter_dual_level"),
    ("torch.autograd.forward_ad", "make_dual"),
)
_by_hand: list[str] = []  # the functions that run now and must not differentiate


def forbid(rules: Rules, files: Collection[str]) -> None:
    """Make what `rules` forbid raise ForbiddenCall when code in one of `files` calls it.

    `files` is looked into at each call, so it may grow. Calling again for other files adds them. Raises
    ValueError for a name that does not exist: a manifest must not forbid by misspelling.
    """
    for name in rules.forbidden:
        _wrap(name).always.append(files)
    for name in _forbidden_within(rules):
        _wrap(name).within.append(files)


def allow(rules: Rules, files: Collection[str]) -> None:
    """Undo `forbid` for the same `files`; the wrappers stay and let everybody through."""
    for name in (*rules.forbidden, *_forbidden_within(rules)):
        for refused in (_refused[name].always, _refused[name].within):
            refused[:] = [others for others in refused if others is not files]


def _forbidden_within(rules: Rules) -> set[str]:
    return {name for names in rules.within.values() for name in names}


def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what a submission offers, on its behalf."""
    return function(*args, **kwargs)


def keeping(rules: Rules, exercise: str) -> AbstractContextManager[None]:
    """Within, `exercise` ("module.function") runs and has to keep the rules that are its own."""
    if exercise in rules.by_hand:
        return without_autograd(exercise)
    if exercise in rules.within:
        return _without(exercise, rules.within[exercise])
    return nullcontext()


@contextmanager
def _without(exercise: str, names: tuple[str, ...]) -> Iterator[None]:
    _running.append((exercise, names))
    try:
        yield
    finally:
        _running.pop()


@contextmanager
def without_autograd(name: str) -> Iterator[None]:
    """Within, every use of autograd raises ForbiddenCall: function `name` computes its gradients by hand."""
    _guard_autograd()
    _by_hand.append(name)
    try:
        yield
    finally:
        _by_hand.pop()


@functools.cache
def _guard_autograd() -> None:
    for module_name, attribute in _WAYS_INTO_AUTOGRAD:
        module = importlib.import_module(module_name)
        setattr(module, attribute, _guard_by_hand(getattr(module, attribute)))


def _guard_by_hand(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _by_hand:
            function = _by_hand[-1].rpartition(".")[2]
            raise ForbiddenCall(
                f"{_called_of_torch()} lets autograd differentiate; {function} is to be written by hand, "
                "with algebra."
            )
        return original(*args, **kwargs)

    return guarded


def _called_of_torch() -> str:
    """The function of torch by which the nearest code outside torch came here."""
    frame: FrameType | None = sys._getframe(2)
    called = "autograd"
    while frame is not None and (
        frame.f_code.co_filename.startswith(_TORCH) or frame.f_code.co_filename in (__file__, _CONTEXTLIB)
    ):
        if frame.f_code.co_filename.startswith(_TORCH):
            called = f"{frame.f_globals.get('__name__', 'torch')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return called.partition(".<locals>")[0].replace("torch._tensor.", "torch.")


def _wrap(name: str) -> _Refused:
    """Put the guard in front of what is called `name`; whom it refuses is in what is returned."""
    if name in _refused:
        return _refused[name]
    owner_name, _, attribute = name.rpartition(".")
    try:
        owner: Any = importlib.import_module(owner_name)
        target = getattr(owner, attribute)
    except (ImportError, AttributeError, ValueError):
        raise ValueError(f"forbidden name {name!r} does not exist") from None
    _refused[name] = _Refused()
    if isinstance(target, type):
        target.__init__ = _guard(target.__init__, name)  # type: ignore[misc]
    else:
        setattr(owner, attribute, _guard(target, name))
    return _refused[name]


def _guard(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    refused = _refused[name]

    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if refused.always and _is_called_from(refused.always):
            raise ForbiddenCall(f"{name} is what this unit asks you to write yourself; do not call it.")
        if refused.within and _running:
            for exercise, names in _running:
                if name in names and _is_called_from(refused.within):
                    function = exercise.rpartition(".")[2]
                    raise ForbiddenCall(f"{name} is what {function} is to do itself; do not call it there.")
        return original(*args, **kwargs)

    return guarded


def _is_called_from(refused: Sequence[Collection[str]]) -> bool:
    """Whether the nearest caller outside the libraries is code in a file of one of the collections."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if frame.f_code is call.__code__ or any(file in files for files in refused):
            return True
        if file != __file__ and not file.startswith(_LIBRARIES):
            return False
        frame = frame.f_back
    return False

"""What the code of a check mentions: the fields of its case that it reads, and the call that it makes.

A case has fields for all the checks that share its strategy. To a student those are noise that their own
check does not read.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from torch import Tensor

# What an argument of a call is shown as; a function or a module is named in the call itself.
GIVEN = (Tensor, int, float, str, tuple, list)


def frame_of_check(error: BaseException) -> FrameType | None:
    """The check's own frame among those that the error passed through."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name.startswith("test_") and Path(code.co_filename).name.startswith("test_"):
            found = traceback.tb_frame
        traceback = traceback.tb_next
    return found


def mentioned_names(frame: FrameType, case: Mapping[str, Any]) -> frozenset[str]:
    """Every name in the code of a check, of its unit's functions that it names, and of its case's members.

    More than is read, if two things have one name, but never less: what is computed lazily is found too.
    """
    classes = [type(value) for value in case.values() if dataclasses.is_dataclass(value)]
    unit = Path(frame.f_code.co_filename).parent.name
    names: set[str] = set()
    done: set[CodeType] = set()
    waiting = [(frame.f_code, frame.f_globals)]
    while waiting:
        code, namespace = waiting.pop()
        if code in done:
            continue
        done.add(code)
        names.update(code.co_names, _strings(code.co_consts))  # a string may be for getattr
        waiting += [(const, namespace) for const in code.co_consts if isinstance(const, CodeType)]
        named = [namespace.get(name) for name in code.co_names]
        # A member of the case may be named before or after what names it.
        named += [member for cls in classes for name in names for member in _members(cls, name)]
        for each in named:
            if isinstance(each, FunctionType) and Path(each.__code__.co_filename).parent.name == unit:
                waiting.append((each.__code__, each.__globals__))
    return frozenset(names)


def call_by_hand(frame: FrameType, exercise: str) -> tuple[str, dict[str, Any]] | None:
    """The call that a check without a drawn case makes, as it is written there, and what its names stand for.

    None where the check makes several calls of the exercise, or none, or where that is a class.
    """
    try:
        [check] = ast.parse(textwrap.dedent(inspect.getsource(frame.f_code))).body
    except (OSError, SyntaxError, ValueError):
        return None
    nodes = [node for statement in getattr(check, "body", ()) for node in _here(statement)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and _is_of_student(node, exercise)]
    if len(calls) != 1 or exercise[0].isupper():
        return None
    [call] = calls
    values = {**frame.f_globals, **frame.f_locals}
    arguments = [node for each in (*call.args, *call.keywords) for node in ast.walk(each)]
    names = [node.id for node in arguments if isinstance(node, ast.Name) and node.id in values]
    set_names = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    given = {
        name: values[name]
        for name in names
        # What is set twice may by now be something else, even the right answer.
        if isinstance(values[name], GIVEN) and set_names.count(name) <= 1
    }
    return ast.unparse(call).removeprefix("student."), given


def _is_of_student(call: ast.Call, exercise: str) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr) == ("student", exercise)
    )


def _here(node: ast.AST) -> Iterator[ast.AST]:
    """This node and those below, but for functions and comprehensions, which have names of their own."""
    if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ListComp | ast.GeneratorExp):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _here(child)


def _strings(constants: Iterable[object]) -> Iterator[str]:
    for each in constants:
        if isinstance(each, str):
            yield each
        elif isinstance(each, tuple | frozenset):
            yield from _strings(each)


def _members(cls: type, name: str) -> Iterator[object]:
    """The functions behind a member of a class, and behind those that it overrides."""
    for base in cls.__mro__:
        member = vars(base).get(name)
        if isinstance(member, property):
            yield member.fget
        elif isinstance(member, cached_property):
            yield member.func
        elif isinstance(member, staticmethod | classmethod):
            yield member.__func__
        else:
            yield member

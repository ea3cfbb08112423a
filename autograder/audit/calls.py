"""Wrong turns in what is called: another dimension, swapped arguments, another function, a fixed dtype.

A device that is hard-coded or dropped would stand beside the dtype; it takes a second device to notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.audit.names import (
    COMMUTATIVE,
    DIMENSION_FUNCTIONS,
    DIMENSION_KEYWORDS,
    DIMENSION_METHODS,
    DROPPED_FUNCTIONS,
    DROPPED_TRANSPOSES,
    FUNCTIONS,
    REDUCTIONS,
    TRANSPOSED,
    called_name,
    is_library_function,
)
from autograder.audit.source import Edit, Source

FIXED_DTYPE = "torch.float32"


def another_dimension(node: ast.AST, source: Source) -> Iterator[Edit]:
    for given in _dimensions(node):
        if isinstance(given, ast.Tuple):
            for element in given.elts:
                yield source.replace(given, source.text_of(element))
        for each in given.elts if isinstance(given, ast.Tuple) else [given]:
            try:
                number = ast.literal_eval(each)
            except ValueError:
                continue
            if type(number) is int:
                yield source.replace(each, str(number + 1))
                yield source.replace(each, str(number - 1))


def arguments_swapped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if not isinstance(node, ast.Call) or called_name(node) in COMMUTATIVE | {"isinstance", "getattr"}:
        return
    for first, second in zip(node.args, node.args[1:], strict=False):
        if any(isinstance(each, ast.Starred) or _is_text(each) for each in (first, second)):
            continue
        (begin, end), (after, last) = source.span(first), source.span(second)
        left, right = source.text[begin:end], source.text[after:last]
        yield Edit(begin, last, f"{right}{source.text[end:after]}{left}")


def keyword_dropped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            # zip's `strict` only guards; a dtype and a device are mistaken in ways of their own
            if keyword.arg not in (None, "strict", "dtype", "device"):
                yield _without_argument(node, keyword, source)


def transpose_dropped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Attribute) and node.attr in TRANSPOSED:
        yield _cut_from_dot(node, node, source)
    elif isinstance(node, ast.Call) and called_name(node) in DROPPED_TRANSPOSES:
        yield from _without_call(node, source)


def another_reduction(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and called_name(node) in REDUCTIONS:
        is_builtin_sum = isinstance(node.func, ast.Name) and node.func.id == "sum"  # Python has no mean
        if not is_builtin_sum:
            yield _renamed(node, REDUCTIONS[called_name(node)], source)


def another_function(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and called_name(node) in FUNCTIONS and _is_tensor_function(node):
        yield _renamed(node, FUNCTIONS[called_name(node)], source)


def function_dropped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and called_name(node) in DROPPED_FUNCTIONS:
        yield from _without_call(node, source)


def dtype_fixed(node: ast.AST, source: Source) -> Iterator[Edit]:
    """The dtype of whoever wrote it, or the default one, in place of the input's."""
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg == "dtype":
            yield source.replace(keyword.value, FIXED_DTYPE)
            yield _without_argument(node, keyword, source)
    if called_name(node) == "to" and any(_is_dtype(each) for each in node.args):
        yield from _without_call(node, source)
        for each in filter(_is_dtype, node.args):
            yield source.replace(each, FIXED_DTYPE)


def detach_dropped(node: ast.AST, source: Source) -> Iterator[Edit]:
    """Also of what else keeps tensors apart: a clone."""
    if isinstance(node, ast.Call) and called_name(node) in ("detach", "clone"):
        yield from _without_call(node, source)


def _dimensions(node: ast.AST) -> Iterator[ast.expr]:
    if not isinstance(node, ast.Call):
        return
    yield from (keyword.value for keyword in node.keywords if keyword.arg in DIMENSION_KEYWORDS)
    name = called_name(node)
    if name in DIMENSION_FUNCTIONS:
        yield from node.args[DIMENSION_FUNCTIONS[name] :]
    elif name in DIMENSION_METHODS and isinstance(node.func, ast.Attribute):
        yield from node.args[DIMENSION_METHODS[name] + is_library_function(node) :]


def _renamed(call: ast.Call, name: str, source: Source) -> Edit:
    end = source.span(call.func)[1]
    return Edit(end - len(called_name(call)), end, name)


def _without_call(call: ast.Call, source: Source) -> Iterator[Edit]:
    """`x` in place of `x.f(…)` or of `f(x, …)`."""
    if is_library_function(call):
        if call.args and not isinstance(call.args[0], ast.Starred):
            text = source.text_of(call.args[0])
            atom = isinstance(call.args[0], ast.Name | ast.Attribute | ast.Call | ast.Subscript)
            yield source.replace(call, text if atom else f"({text})")
    elif isinstance(call.func, ast.Attribute):
        yield _cut_from_dot(call.func, call, source)


def _cut_from_dot(attribute: ast.Attribute, last: ast.expr, source: Source) -> Edit:
    """`x` in place of `x.f` or, where the call is `last`, of `x.f(…)`; parentheses around `x` stay."""
    begin = source.span(attribute.value)[1]
    dot = source.text.rindex(".", begin, source.span(attribute)[1])
    return Edit(dot, source.span(last)[1], "")


def _without_argument(call: ast.Call, keyword: ast.keyword, source: Source) -> Edit:
    """The call without the keyword and the comma that comes with it."""
    arguments: list[ast.AST] = sorted([*call.args, *call.keywords], key=lambda each: source.span(each))
    position = arguments.index(keyword)
    begin, end = source.span(keyword)
    if position:
        begin = source.span(arguments[position - 1])[1]
    elif len(arguments) > 1:
        end = source.span(arguments[1])[0]
    return Edit(begin, end, "")


def _is_tensor_function(call: ast.Call) -> bool:
    """`math.sqrt` has no square, and a student's own `softmax` no sibling."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = call.func.value
    return not (isinstance(owner, ast.Name) and owner.id in ("math", "self", "random"))


def _is_dtype(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "dtype" or node.attr.startswith(("float", "bfloat", "int"))
    return isinstance(node, ast.Name) and "dtype" in node.id


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))

"""Wrong turns of whole statements: one forgotten, a condition that always holds, a gradient that is cut."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.audit.names import carries_gradient, gradient_carriers
from autograder.audit.source import Edit, Function, Source, is_docstring

# What a comparison operator turns into its opposite is left to the operator for comparisons.
TURNED_BY_ITSELF = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)


def statement_deleted(node: ast.AST, source: Source) -> Iterator[Edit]:
    """`pass` in its place, so that what is left is Python, and the diff shows where it stood."""
    if isinstance(node, ast.stmt) and _may_be_forgotten(node, source):
        yield source.replace(node, "pass")


def condition_forced(node: ast.AST, source: Source) -> Iterator[Edit]:
    tests: list[ast.expr] = []
    if isinstance(node, ast.If | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        tests = [test for generator in node.generators for test in generator.ifs]
    elif isinstance(node, ast.While) and not isinstance(node.test, ast.Constant):
        yield source.replace(node.test, "False")  # True would never end
    for test in tests:
        yield source.replace(test, "True")
        yield source.replace(test, "False")


def branches_swapped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.If | ast.IfExp) and node.orelse:
        test = node.test
        compares_once = isinstance(test, ast.Compare) and len(test.ops) == 1
        if isinstance(test, ast.Compare) and compares_once and isinstance(test.ops[0], TURNED_BY_ITSELF):
            return
        if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            yield source.replace(test, f"not ({source.text_of(test)})")


def detach_inserted(node: ast.AST, source: Source) -> Iterator[Edit]:
    """What is returned or assigned, cut from the graph, where it is computed from what carries a gradient."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        return  # several at once: nothing that one could detach
    if not isinstance(node, ast.Return | ast.Assign) or node.value is None or _is_without_grad(node, source):
        return
    function = source.function_of(node)
    if function is None:
        return
    names = gradient_carriers(function)
    value = node.value
    if isinstance(node, ast.Return) and not isinstance(value, ast.Tuple) and _returns_several(function):
        return
    for each in value.elts if isinstance(value, ast.Tuple) else [value]:
        if isinstance(each, ast.Call | ast.BinOp) and carries_gradient(each, names):
            text = source.text_of(each)
            yield source.replace(
                each, f"({text}).detach()" if isinstance(each, ast.BinOp) else f"{text}.detach()"
            )


def _may_be_forgotten(node: ast.stmt, source: Source) -> bool:
    match node:
        case ast.Expr():
            return not is_docstring(node)
        case ast.AugAssign() | ast.Continue() | ast.Break():
            return True
        case ast.Assign(targets=targets):
            return all(_has_a_value_already(target, node, source) for target in targets)
        case ast.AnnAssign(target=target):
            return node.value is not None and _has_a_value_already(target, node, source)
        case ast.If(body=[ast.Raise()], orelse=[]):
            return True
        case ast.Raise():
            parent = source.parents.get(node)
            is_guard = isinstance(parent, ast.If) and parent.body == [node] and not parent.orelse
            return not is_guard  # without its guard it is deleted with it
    return False


def _has_a_value_already(target: ast.expr, statement: ast.stmt, source: Source) -> bool:
    """Whether the target can be used when the assignment is forgotten."""
    if isinstance(target, ast.Attribute | ast.Subscript):
        return True
    function = source.function_of(statement)
    if function is None:
        return False
    names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    arguments = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    earlier = {
        each.id
        for each in ast.walk(function)
        if isinstance(each, ast.Name)
        and isinstance(each.ctx, ast.Store)
        and (each.lineno, each.col_offset) < (statement.lineno, statement.col_offset)
    }
    return names <= arguments | earlier


def _returns_several(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns).startswith(("tuple", "list"))


def _is_without_grad(node: ast.AST, source: Source) -> bool:
    """Whether gradients are off there already."""
    withs = [each for each in source.ancestors(node) if isinstance(each, ast.With)]
    function = source.function_of(node)
    settings: list[ast.expr] = [item.context_expr for each in withs for item in each.items]
    settings += function.decorator_list if function is not None else []
    return any("no_grad" in ast.unparse(each) or "inference_mode" in ast.unparse(each) for each in settings)

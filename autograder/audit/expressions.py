"""Wrong turns within an expression: another operator, comparison, constant or slice, a mask the wrong way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autograder.audit.names import MASK_NAMES, MASKING, called_name, is_library_function
from autograder.audit.source import Edit, Source

# Each operator's text, and what stands in its place.
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
}
COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}


def arithmetic(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        old, new = ARITHMETIC[type(node.op)]
        yield from _operator(source, source.between(node.left, node.right), old, new)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        old, new = ARITHMETIC[type(node.op)]
        between = source.between(node.target, node.value)
        yield from _operator(source, between, f"{old}=", f"{new}=")
        yield from _operator(source, between, f"{old}=", "=")


def factors_swapped(node: ast.AST, source: Source) -> Iterator[Edit]:
    """A product of matrices, and what else depends on the order, the other way round."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Sub | ast.Div):
        simple = ast.Name | ast.Attribute
        if isinstance(node.left, simple) and isinstance(node.right, simple):
            between = slice(*source.between(node.left, node.right))
            left, right = source.text_of(node.left), source.text_of(node.right)
            yield source.replace(node, f"{right}{source.text[between]}{left}")


def comparison(node: ast.AST, source: Source) -> Iterator[Edit]:
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        old, others = COMPARISONS[type(op)]
        for new in others:
            yield from _operator(source, source.between(left, right), old, new)


def range_shortened(node: ast.AST, source: Source) -> Iterator[Edit]:
    """A loop that ends one round early; an end that is a number is changed as a constant."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        end = node.args[min(1, len(node.args) - 1)]
        if _integer(end) is None:
            yield source.replace(end, f"{source.text_of(end)} - 1")


def boolean(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from _operator(source, source.between(left, right), old, new)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _without_sign(node, source)


def sign_dropped(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield _without_sign(node, source)


def mask_inverted(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield _without_sign(node, source)
    elif _is_mask(node, source):
        text = source.text_of(node)
        simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        yield source.replace(node, f"~{text}" if simple else f"~({text})")


def constant(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(source.parents.get(node), ast.UnaryOp) and isinstance(node, ast.Constant):
        return  # a part of a negative number
    number = _integer(node)
    if number is not None:
        yield source.replace(node, str(number + 1))
        yield source.replace(node, str(number - 1))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        if not _is_strict(source.parents.get(node)):
            yield source.replace(node, str(not node.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield source.replace(node, repr(node.value * 2 if node.value else 1.0))


def slice_widened(node: ast.AST, source: Source) -> Iterator[Edit]:
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                yield source.replace(bound, "")


def index(node: ast.AST, source: Source) -> Iterator[Edit]:
    """The first instead of the last; and the last instead of the first."""
    if isinstance(node, ast.Subscript):
        for each in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
            if _integer(each) in (0, -1):
                yield source.replace(each, "0" if _integer(each) else "-1")


def _operator(source: Source, between: tuple[int, int], old: str, new: str) -> Iterator[Edit]:
    """Replace the operator `old` that stands in the text `between` two operands."""
    pattern = r"\s+".join(map(re.escape, old.split()))
    if old.isidentifier():
        pattern = rf"\b{pattern}\b"
    for found in re.finditer(rf"#[^\n]*|({pattern})", source.text[slice(*between)]):
        if found.group(1):
            yield Edit(between[0] + found.start(), between[0] + found.end(), new)
            return


def _without_sign(node: ast.UnaryOp, source: Source) -> Edit:
    """`(x)` in place of `-(x)`: parentheses stay."""
    begin, end = source.span(node)
    sign = re.match(r"(?:not\b|[-~])\s*", source.text[begin:end])
    assert sign is not None
    return Edit(begin, begin + sign.end(), "")


def _integer(node: ast.AST) -> int | None:
    """The whole number that the expression is, a negative one too."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _integer(node.operand)
        return None if number is None else -number
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def _is_mask(node: ast.AST, source: Source) -> bool:
    """Whether the expression decides what is kept: by its name, or by where it stands."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.keyword):
        return parent.arg in MASK_NAMES and not isinstance(node, ast.Constant)
    if isinstance(parent, ast.Call) and node in parent.args and called_name(parent) in MASKING:
        name = called_name(parent)
        position = 1 if is_library_function(parent) and name != "where" else 0
        if node is parent.args[position] if position < len(parent.args) else False:
            return not isinstance(node, ast.Compare | ast.UnaryOp | ast.Constant)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if name not in MASK_NAMES or not isinstance(getattr(node, "ctx", None), ast.Load):
        return False
    return isinstance(parent, ast.Call | ast.BinOp | ast.Return) and not (
        isinstance(parent, ast.Call) and node is parent.func
    )


def _is_strict(node: ast.AST | None) -> bool:
    """`zip(…, strict=True)` guards against a mistake, and changes nothing where there is none."""
    return isinstance(node, ast.keyword) and node.arg == "strict"

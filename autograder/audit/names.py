"""What the operators know of the libraries: functions that come in pairs, dimensions, gradients."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from autograder.audit.source import Function

# Ways to turn many numbers into one.
REDUCTIONS = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "amax": "amin",
    "amin": "amax",
    "argmax": "argmin",
    "argmin": "argmax",
    "any": "all",
    "all": "any",
    "std": "var",
    "var": "std",
    "prod": "sum",
    "logsumexp": "sum",
}

# Functions that take the same arguments, and that people mix up.
FUNCTIONS = {
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "new_zeros": "new_ones",
    "new_ones": "new_zeros",
    "rand": "randn",
    "randn": "rand",
    "sin": "cos",
    "cos": "sin",
    "tanh": "sigmoid",
    "sigmoid": "tanh",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log2",
    "log1p": "log",
    "floor": "ceil",
    "ceil": "floor",
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "logsigmoid": "sigmoid",
    "sqrt": "square",
    "rsqrt": "sqrt",
    "triu": "tril",
    "tril": "triu",
    "maximum": "minimum",
    "minimum": "maximum",
    "clamp_min": "clamp_max",
    "clamp_max": "clamp_min",
    "elu": "relu",
    "leaky_relu": "relu",
    "gelu": "relu",
    "no_grad": "enable_grad",
}

# Functions of which the first argument is a fair answer, too.
DROPPED_FUNCTIONS = {"relu", "cumsum", "abs", "flip", "clamp", "reversed", "dropout"}
DROPPED_TRANSPOSES = {"transpose", "permute", "swapaxes", "swapdims", "movedim", "t", "adjoint"}
TRANSPOSED = {"T", "mT", "H", "mH"}

DIMENSION_KEYWORDS = {"dim", "axis", "dims", "dim0", "dim1", "start_dim", "end_dim"}
# Methods whose positional integers, from this one on, are dimensions; a function has the tensor before them.
DIMENSION_METHODS = {
    **dict.fromkeys([*REDUCTIONS, "softmax", "log_softmax", "cumsum", "cumprod", "unsqueeze", "squeeze"], 0),
    **dict.fromkeys(["size", "flatten", "unbind", "select", "narrow", "transpose", "gather", "scatter"], 0),
    **dict.fromkeys(["index_select", "index_add", "index_add_", "scatter_add", "scatter_add_", "flip"], 0),
    **dict.fromkeys(["chunk", "split", "repeat_interleave", "topk", "diff"], 1),
}
# Functions of a list of tensors; they have no method.
DIMENSION_FUNCTIONS = {"stack": 1, "cat": 1, "concatenate": 1, "take_along_dim": 2}

# Order does not matter, so that swapped arguments mean the same.
COMMUTATIVE = {
    *("transpose", "swapaxes", "swapdims", "maximum", "minimum", "max", "min", "allclose", "isclose"),
    *("broadcast_shapes", "broadcast_tensors", "promote_types", "add", "mul", "logical_and", "logical_or"),
}

MASK_NAMES = {
    *("mask", "masks", "keep", "kept", "real", "valid", "visible", "allowed", "padding", "empty"),
    *("finished", "done", "active", "inside", "observed", "drop", "dropped", "is_real", "is_padding"),
}
MASKING = {"where", "masked_fill", "masked_fill_", "masked_select", "masked_scatter"}

# Calls whose result carries no gradient, so that detaching it changes nothing.
WITHOUT_GRADIENT = {
    *("arange", "zeros", "ones", "full", "empty", "rand", "randn", "randint", "randperm", "eye", "tensor"),
    *("as_tensor", "from_numpy", "zeros_like", "ones_like", "full_like", "empty_like", "rand_like"),
    *("randn_like", "new_zeros", "new_ones", "new_full", "new_tensor", "new_empty", "argmax", "argmin"),
    *("argsort", "nonzero", "bincount", "multinomial", "one_hot", "long", "bool", "int", "detach", "unique"),
    *("isfinite", "isnan", "isinf", "any", "all", "eq", "ne", "lt", "le", "gt", "ge", "logical_not"),
    *("logical_and", "logical_or", "bernoulli", "searchsorted", "triu_indices", "tril_indices", "size"),
    *("dim", "numel", "item", "tolist", "append", "extend", "items", "keys", "values", "get", "split"),
    *("join", "format", "pop", "parameters", "named_parameters", "state_dict", "Parameter", "sort", "topk"),
}
WITHOUT_TENSOR = {"shape", "ndim", "dtype", "device", "requires_grad", "is_cuda"}
BUILTINS = {
    *("len", "int", "float", "bool", "str", "range", "list", "tuple", "dict", "set", "zip", "enumerate"),
    *("sorted", "reversed", "slice", "isinstance", "min", "max", "super", "print", "any", "all", "map"),
}
LIBRARIES = {"math", "nn", "random", "np", "numpy", "itertools"}


def called_name(call: ast.Call) -> str:
    """What is called, without what stands before its last dot."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_library_function(call: ast.Call) -> bool:
    """Whether the call is `torch.f(x)`, `F.f(x)` or `f(x)`, not `x.f()`."""
    root = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(call.func, ast.Attribute):
        return True
    return isinstance(root, ast.Name) and root.id in {"torch", "F", "nn", "math", "np", "linalg"}


def gradient_carriers(function: Function) -> set[str]:
    """The names in a function that hold tensors with a gradient, as far as its text tells.

    Parameters that are annotated as floating-point tensors, or not at all, and what is computed from them.
    """
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = {each.arg for each in arguments if _may_carry(each.annotation)} - {"self", "generator"}
    for _ in range(2):  # what a loop computes is used in its next round
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and carries_gradient(node.value, names):
                names |= _target_names(node.targets)
            elif isinstance(node, ast.For) and carries_gradient(node.iter, names):
                names |= _target_names([node.target])
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                fills_a_list = node.func.attr == "append"
                if fills_a_list and any(carries_gradient(each, names) for each in node.args):
                    names |= _target_names([node.func.value])
    return names


def carries_gradient(node: ast.expr, names: set[str]) -> bool:
    """Whether the expression is a tensor with a gradient, or holds one, where `names` do."""
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(value=value, attr=attr):
            return attr not in WITHOUT_TENSOR and carries_gradient(value, names)
        case ast.Subscript(value=value):
            return carries_gradient(value, names)
        case ast.BinOp(left=left, right=right):
            return carries_gradient(left, names) or carries_gradient(right, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return carries_gradient(operand, names)
        case ast.IfExp(body=body, orelse=orelse):
            return carries_gradient(body, names) or carries_gradient(orelse, names)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return any(carries_gradient(each, names) for each in elements)
        case ast.Call():
            return _call_carries(node, names)
    return False


def _call_carries(call: ast.Call, names: set[str]) -> bool:
    name = called_name(call)
    if name in WITHOUT_GRADIENT or (isinstance(call.func, ast.Name) and name in BUILTINS):
        return False
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        if isinstance(owner, ast.Name) and owner.id in LIBRARIES:
            return False
        if carries_gradient(owner, names):
            return True
    return any(carries_gradient(each, names) for each in call.args)


def _may_carry(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return True
    text = ast.unparse(annotation)
    return "Tensor" in text and "Callable" not in text and ("Float" in text or "[" not in text)


def _target_names(targets: Iterable[ast.expr]) -> set[str]:
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}

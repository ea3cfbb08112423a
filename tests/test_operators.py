"""Mechanical mutants: what each operator makes of a line and what it leaves alone, and how one is called."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.audit.mutants import OPERATORS, Mutant, changed_lines, mutants
from autograder.audit.source import Source
from autograder.course import Course, Exercise, Unit

ROOT = Path(__file__).resolve().parents[1]

HEAD = "import torch\nfrom jaxtyping import Bool, Float, Int\nfrom torch import Tensor\n\n\n"


def function(*lines: str, header: str = "def f(x, y, mask, n, **options):") -> str:
    """A module with one exercise, all of whose `lines` are marked."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"{HEAD}{header}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION\n"


def unit(*exercises: str, by_hand: bool = False, modules: tuple[str, ...] = ("m",)) -> Unit:
    """A unit that is nowhere on disk; each exercise is `module.name`."""
    pairs = [name.split(".") for name in exercises]
    return Unit(
        name="u",
        title="U",
        modules=modules,
        forbidden=(),
        preload=(),
        parities=(),
        exercises=tuple(Exercise(name, module, 1, by_hand) for module, name in pairs),
        public=Path("assignments/u"),
        hidden=None,
    )


def made(operator: str, *lines: str, **options: str) -> list[str]:
    """What the operator makes of the lines, each change by the lines that it leaves."""
    text = function(*lines, **options)
    source = Source("m", text)
    found = []
    for node in source.marked(source.statements["f"]):
        for edit in OPERATORS[operator](node, source):
            changed = source.edited(edit)
            ast.parse(changed)
            found.append(changed_lines(text, changed)[1])
    return found


EXAMPLES = [
    ("arithmetic", "return x + y", ["return x - y"]),
    ("arithmetic", "return (x) * (y)", ["return (x) / (y)"]),
    ("arithmetic", "return x ** 2", ["return x * 2"]),
    ("arithmetic", "return x | y", ["return x & y"]),
    ("arithmetic", "x += y", ["x -= y", "x = y"]),
    ("factors swapped", "return x @ y.T", ["return y.T @ x"]),
    ("factors swapped", "return x @ f(y)", []),
    ("comparison", "return n < 3", ["return n <= 3", "return n > 3"]),
    (
        "comparison",
        "return 0 < n <= 1",
        ["return 0 <= n <= 1", "return 0 > n <= 1", "return 0 < n < 1", "return 0 < n >= 1"],
    ),
    ("comparison", "return n is not None", ["return n is None"]),
    ("comparison", "return n not in y", ["return n in y"]),
    ("range shortened", "r = range(1, len(x))", ["r = range(1, len(x) - 1)"]),
    ("range shortened", "r = range(3)", []),
    ("and, or, not", "return x and y", ["return x or y"]),
    ("and, or, not", "return not x", ["return x"]),
    ("mask inverted", "return x.masked_fill(~mask, 0)", ["return x.masked_fill(mask, 0)"]),
    ("mask inverted", "return torch.where(y[0], x, 0)", ["return torch.where(~y[0], x, 0)"]),
    ("mask inverted", "return f(x, mask)", ["return f(x, ~mask)"]),
    ("mask inverted", "return f(x, mask=y)", ["return f(x, mask=~y)"]),
    ("mask inverted", "return mask.shape, mask is None", []),
    ("another dimension", "return x.sum(dim=-1)", ["return x.sum(dim=0)", "return x.sum(dim=-2)"]),
    (
        "another dimension",
        "return torch.stack(x, 1)",
        ["return torch.stack(x, 2)", "return torch.stack(x, 0)"],
    ),
    ("another dimension", "return x.max(0)", ["return x.max(1)", "return x.max(-1)"]),
    ("another dimension", "return f(x, 1)", []),
    ("arguments swapped", "return f(x, y, n=n)", ["return f(y, x, n=n)"]),
    ("arguments swapped", "return x.transpose(0, 1), torch.maximum(x, y), f(*x, y)", []),
    ("keyword dropped", "return f(x, n=n)", ["return f(x)"]),
    ("keyword dropped", "return f(n=n, y=y)", ["return f(y=y)", "return f(n=n)"]),
    ("keyword dropped", "return zip(x, y, strict=True), torch.ones(2, device=n, dtype=y), f(**options)", []),
    ("transpose dropped", "return x.T, x.transpose(1, 2)", ["return x, x.transpose(1, 2)", "return x.T, x"]),
    ("transpose dropped", "return (x + y).mT", ["return (x + y)"]),
    ("sign dropped", "return -(x + y) * n", ["return (x + y) * n"]),
    ("and, or, not", "return not (x and y)", ["return (x and y)", "return not (x or y)"]),
    ("mask inverted", "return ~(x | y) & n", ["return (x | y) & n"]),
    ("function dropped", "return (x + y).abs() * n", ["return (x + y) * n"]),
    ("transpose dropped", "return torch.transpose(x + y, 0, 1)", ["return (x + y)"]),
    ("another reduction", "return x.sum(0)", ["return x.mean(0)"]),
    ("another reduction", "return torch.amax(x, 0)", ["return torch.amin(x, 0)"]),
    ("another reduction", "return sum(x)", []),
    ("another function", "return torch.zeros_like(x)", ["return torch.ones_like(x)"]),
    ("another function", "return x.tanh()", ["return x.sigmoid()"]),
    ("another function", "return math.sqrt(n)", []),
    (
        "function dropped",
        "return torch.relu(x), x.cumsum(0)",
        ["return x, x.cumsum(0)", "return torch.relu(x), x"],
    ),
    (
        "dtype fixed",
        "return torch.eye(2, dtype=x.dtype)",
        ["return torch.eye(2, dtype=torch.float32)", "return torch.eye(2)"],
    ),
    ("dtype fixed", "return y.to(x.dtype)", ["return y", "return y.to(torch.float32)"]),
    ("dtype fixed", "return y.to(x.device)", []),
    ("detach dropped", "return x.detach() + y.clone()", ["return x + y.clone()", "return x.detach() + y"]),
    ("slice widened", "return x[1:-1]", ["return x[:-1]", "return x[1:]"]),
    ("slice widened", "return x[::-1]", ["return x[::]"]),
    ("index", "return x[-1], x[:, 0]", ["return x[0], x[:, 0]", "return x[-1], x[:, -1]"]),
    ("constant", "return 2", ["return 3", "return 1"]),
    ("constant", "return -1", ["return 0", "return -2"]),
    ("constant", "return 0.0, 0.5", ["return 1.0, 0.5", "return 0.0, 1.0"]),
    ("constant", "return f(keepdim=True)", ["return f(keepdim=False)"]),
    ("constant", "return zip(x, y, strict=True), 'text'", []),
    ("sign dropped", "return -x", ["return x"]),
    ("statement deleted", "x = f(x)", ["pass"]),
    ("statement deleted", "fresh = f(x)", []),
    ("statement deleted", "x[0] = y", ["pass"]),
    ("statement deleted", "y.append(x)", ["pass"]),
    ("condition forced", "return x if n else y", ["return x if True else y", "return x if False else y"]),
    (
        "condition forced",
        "return [x for x in y if x]",
        ["return [x for x in y if True]", "return [x for x in y if False]"],
    ),
    ("branches swapped", "return x if n > 1 else y", ["return x if not (n > 1) else y"]),
    ("branches swapped", "return x if n is None else y", []),
    ("detach inserted", "return x @ y", ["return (x @ y).detach()"]),
    ("detach inserted", "y = torch.tanh(x)", ["y = torch.tanh(x).detach()"]),
    ("detach inserted", "return len(x), x.shape[0] - 1, torch.arange(3), x.argmax(0), x", []),
]


@pytest.mark.parametrize(
    ("operator", "line", "expected"), EXAMPLES, ids=[f"{e[0]}: {e[1]}" for e in EXAMPLES]
)
def test_what_an_operator_makes_of_a_line(operator: str, line: str, expected: list[str]) -> None:
    assert sorted(made(operator, line)) == sorted(expected)


def test_every_operator_has_an_example() -> None:
    assert {operator for operator, _, expected in EXAMPLES if expected} == set(OPERATORS)


def test_a_guard_is_deleted_with_its_error_and_what_the_error_says_is_left_alone() -> None:
    guard = ("if n < 1:", '    raise ValueError(f"n must be at least {1 + 0}, not {n - 1}")')
    assert made("statement deleted", *guard) == ["pass"]
    assert made("constant", *guard) == ["if n < 2:", "if n < 0:"]
    assert made("arithmetic", *guard) == []
    assert (
        made("statement deleted", "if n < 1:", "    raise ValueError", "else:", "    x += 1") == ["pass"] * 2
    )


def test_while_is_never_made_to_run_for_ever() -> None:
    assert made("condition forced", "while n > 0:", "    n -= 1") == ["while False:"]
    assert made("condition forced", "while True:", "    break") == []


def test_only_what_carries_a_gradient_is_detached() -> None:
    header = "def f(x: Float[Tensor, 'n'], y: Int[Tensor, 'n'], n: int) -> Float[Tensor, 'n']:"
    lines = ("z = x * 2", "k = y + n", "states = []", "states.append(z)", "return torch.stack(states)")
    expected = ["z = (x * 2).detach()", "return torch.stack(states).detach()"]
    assert made("detach inserted", *lines, header=header) == expected
    assert made("detach inserted", "with torch.no_grad():", "    z = x * 2", header=header) == []
    several = header.replace("-> Float[Tensor, 'n']", "-> tuple[Float[Tensor, 'n'], int]")
    assert made("detach inserted", "return x.max(0)", header=several) == []


def test_a_module_with_other_letters_is_cut_in_the_right_places() -> None:
    assert made("arithmetic", "return 'δ', x + y  # Σ + Σ") == ["return 'δ', x - y  # Σ + Σ"]
    assert made("arithmetic", "return (x  # a + b", "        + y)") == ["- y)"]


# -------------------------------------------------------------------------------------- which code, and whose

MODULE = '''import torch

EPSILON = 1


def first(x, n=1):
    """x + 1."""
    x = x + 1
    ### BEGIN SOLUTION
    return _shared(x) + 2
    ### END SOLUTION


### BEGIN SOLUTION
LIMIT = 3


def _shared(x):
    """Not + this."""
    return _deeper(x) * LIMIT


def _deeper(x: "Float[Tensor, 1]") -> "Float[Tensor, 2]":
    return -x
### END SOLUTION


class Second:
    def __init__(self, n=4):
        """4."""
        ### BEGIN SOLUTION
        self.n = n + 5
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return _shared(x) + self.n
        ### END SOLUTION
'''


def owners(found: list[Mutant]) -> dict[str, set[str]]:
    return {name: {m.before for m in found if m.exercise == name} for name in {m.exercise for m in found}}


def test_only_marked_code_is_changed_and_a_helper_belongs_to_the_first_who_names_it() -> None:
    found = mutants(unit("m.Second", "m.first"), {"m": MODULE})
    assert owners(found) == {
        "Second": {
            "self.n = n + 5",
            "return _shared(x) + self.n",
            "return _deeper(x) * LIMIT",
            "LIMIT = 3",
            "return -x",
        },
        "first": {"return _shared(x) + 2"},
    }
    in_order = [mutant.exercise for mutant in found]
    assert in_order == sorted(in_order)  # the unit's order, not the file's


def test_a_helper_in_another_module_belongs_to_who_imports_it() -> None:
    helper = "### BEGIN SOLUTION\ndef _twice(x):\n    return x * 2\n### END SOLUTION\n"
    user = f"from m import _twice\n\n\n{function('return _twice(x)')}"
    found = mutants(unit("k.f", modules=("m", "k")), {"m": helper, "k": user})
    assert {(m.module, m.before) for m in found} == {("m", "return x * 2"), ("k", "return _twice(x)")}


def test_gradients_are_not_cut_where_there_is_no_autograd() -> None:
    text = function("return x @ y")
    assert [m.operator for m in mutants(unit("m.f", by_hand=True), {"m": text})] == ["factors swapped"]
    assert "detach inserted" in {m.operator for m in mutants(unit("m.f"), {"m": text})}


def test_what_comes_out_the_same_is_made_once_and_what_changes_nothing_not_at_all() -> None:
    text = function("x = x[0]", "return x.sum(1)")
    found = mutants(unit("m.f"), {"m": text})
    assert len({ast.dump(ast.parse(m.source)) for m in found}) == len(found)
    assert [m.operator for m in found if "sum(2)" in m.after] == ["another dimension"]  # a constant, too
    assert ast.dump(ast.parse(text)) not in {ast.dump(ast.parse(m.source)) for m in found}


def test_ids_tell_mutants_apart_and_do_not_depend_on_where_lines_stand() -> None:
    text = function("x = x + 1", "x = x + 1", "return x")
    before = [m.id for m in mutants(unit("m.f"), {"m": text})]
    after = [
        m.id for m in mutants(unit("m.f"), {"m": text.replace("import torch\n", "import torch\n\n# more\n")})
    ]
    assert before == after
    assert len(set(before)) == len(before)
    assert "f | arithmetic | x = x + 1 | x = x - 1 | 2" in before


@pytest.mark.skipif(not (ROOT / "solutions").is_dir(), reason="a released course has no solutions")
def test_every_exercise_of_the_course_has_mutants_with_ids_of_their_own() -> None:
    course = Course(ROOT)
    each = course.units[0]
    sources = {name: (course.solutions / each.name / f"{name}.py").read_text() for name in each.modules}
    found = mutants(each, sources)
    assert len({mutant.id for mutant in found}) == len(found)
    assert {mutant.exercise for mutant in found} == {exercise.name for exercise in each.exercises}

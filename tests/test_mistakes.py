"""Known mistakes: how a list is read, how an edit is confined, and that every unit's list is sound."""

import ast
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.mistakes import Mistake, MistakeError, apply, load_mistakes

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
LISTS = sorted(SOLUTIONS.glob("*/mistakes.toml"))
# Read per test, so that one broken list fails its own tests and does not stop collection.
UNITS = pytest.mark.parametrize("path", LISTS, ids=[path.parent.name for path in LISTS])

SOLUTION = '''
def double(x):
    """Return x + x, for example 1 + 1."""
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION


def triple(x):
    ### BEGIN SOLUTION
    return x + x + x
    ### END SOLUTION


class Counter:
    def __init__(self):
        ### BEGIN SOLUTION
        self.count = 0
        ### END SOLUTION

    def step(self):
        ### BEGIN SOLUTION
        self.count += 1
        return self.count
        ### END SOLUTION
'''

ENTRY = {
    "exercise": "double",
    "name": "squared",
    "old": "x + x",
    "new": "x * x",
    "hint": "Add, do not multiply.",
}


def write_unit(folder, *entries):
    (folder / "numbers.py").write_text(SOLUTION, encoding="utf-8")
    tables = ["[[mistake]]\n" + "\n".join(f"{key} = {value!r}" for key, value in e.items()) for e in entries]
    path = folder / "mistakes.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def make(exercise, old, new):
    return Mistake(exercise, "wrong", old, new, "Think again.", "numbers")


def test_mistakes_are_loaded_in_order_with_their_module(tmp_path):
    other = ENTRY | {"exercise": "Counter", "old": "+= 1", "new": "+= 2"}
    squared, by_two = load_mistakes(write_unit(tmp_path, ENTRY, other))
    assert squared == Mistake("double", "squared", "x + x", "x * x", "Add, do not multiply.", "numbers")
    assert (by_two.exercise, by_two.module) == ("Counter", "numbers")


def test_an_edit_touches_only_the_solution_of_its_exercise():
    changed = apply(make("double", "x + x", "x * x"), SOLUTION)
    assert changed == SOLUTION.replace("    y = x + x", "    y = x * x")


def test_an_edit_reaches_every_method_and_the_last_line_of_a_region():
    changed = apply(make("Counter", "return self.count", "return 0"), SOLUTION)
    assert changed == SOLUTION.replace("return self.count", "return 0")


def test_a_line_can_be_deleted_and_replaced_by_several():
    assert apply(make("Counter", "self.count += 1\n", "\n"), SOLUTION).count("+= 1") == 0
    assert "y = x\n    y = y + x" in apply(make("double", "y = x + x", "y = x\n    y = y + x"), SOLUTION)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (make("double", "x - x", "x"), "does not occur in the exercise's solution: 'x - x'"),
        (make("double", "1 + 1", "2"), "does not occur"),  # it stands in the docstring only
        (make("triple", "x +", "x -"), "occurs 2 times, not once"),
        (
            make("Counter", "self.count ", "self.n "),
            "occurs 2 times, not once",
        ),  # once in each of two methods
        (make("double", "return y", "return ("), r"is not valid Python \(line"),
        (make("half", "x", "y"), r"'half': numbers.py does not define it"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(mistake, sentence):
    with pytest.raises(MistakeError, match=sentence):
        apply(mistake, SOLUTION)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"exercise": "half"}, "mistake 1: there is no exercise 'half'"),
        ({"old": "x - x"}, "'double': mistake 'squared': its 'old' does not occur"),
        ({"exercise": "triple", "old": "x +"}, "occurs 2 times"),
        ({"hint": "  "}, "mistake 1: 'hint' is empty"),
        ({"hint": 3}, "mistake 1: 'hint' must be a text, not 3"),
        ({"new": "x + x"}, "'old' and 'new' are the same"),
        ({"points": 3}, "unknown key 'points'"),
    ],
)
def test_a_bad_entry_is_one_clear_sentence(tmp_path, change, sentence):
    with pytest.raises(MistakeError, match=sentence):
        load_mistakes(write_unit(tmp_path, ENTRY | change))


@pytest.mark.parametrize("key", sorted(ENTRY))
def test_a_missing_key_is_named(tmp_path, key):
    entry = {name: value for name, value in ENTRY.items() if name != key}
    with pytest.raises(MistakeError, match=f"mistake 1: '{key}' is missing"):
        load_mistakes(write_unit(tmp_path, entry))


def test_a_name_is_used_once_per_exercise(tmp_path):
    with pytest.raises(MistakeError, match="mistake 2: 'double' already has a mistake 'squared'"):
        load_mistakes(write_unit(tmp_path, ENTRY, ENTRY | {"new": "x"}))
    assert (
        len(load_mistakes(write_unit(tmp_path, ENTRY, ENTRY | {"exercise": "triple", "old": "x + x + x"})))
        == 2
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[mistake]", "is not valid TOML"),
        ("mistake = 3", "must be a list of tables"),
        ("[[mistakes]]", r"unknown key 'mistakes'.*headed \[\[mistake\]\]"),
    ],
)
def test_a_bad_file_is_one_clear_sentence(tmp_path, text, sentence):
    path = write_unit(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MistakeError, match=sentence):
        load_mistakes(path)


def test_a_missing_file_is_one_clear_sentence(tmp_path):
    with pytest.raises(MistakeError, match=r"mistakes\.toml cannot be read"):
        load_mistakes(tmp_path / "mistakes.toml")


@UNITS
def test_every_mistake_applies_compiles_and_differs_from_the_solution(path):
    for mistake in load_mistakes(path):
        source = (path.parent / f"{mistake.module}.py").read_text(encoding="utf-8")
        changed = apply(mistake, source)
        compile(changed, mistake.name, "exec")
        # Not in the text only: a change of layout or of a comment would be a mistake that nobody can see.
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), mistake.name


@UNITS
def test_every_exercise_has_two_mistakes_and_no_two_are_the_same(path):
    mistakes = load_mistakes(path)
    edits = [(mistake.exercise, mistake.old, mistake.new) for mistake in mistakes]
    assert len(set(edits)) == len(edits)
    exercises = [each.name for each in Course.find(path).unit(path.parent.name).exercises]
    listed = [mistake.exercise for mistake in mistakes]
    assert [name for name in exercises if listed.count(name) < 2] == []

"""Calls through a worker are what local calls are: values, gradients, state, errors, and what goes wrong."""

from __future__ import annotations

import contextlib
import gc
import math
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

if sys.platform != "linux":
    pytest.skip("workers need Linux", allow_module_level=True)

from autograder.checks import beside
from autograder.errors import ModuleProblem, StudentError, WorkerCrashed, WorkerLost, WorkerTimeout
from autograder.reach import WORKER_LIMITS
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.worker import wire
from autograder.worker.client import TimeLimit, Zygote
from autograder.worker.links import Answer, Diverged, LiveLink, Prefetch
from autograder.worker.reached import RemoteSubmission
from autograder.worker.remote import RemoteStudent
from autograder.worker.values import same_bits
from tests import sample

SOURCE = Path(sample.__file__).read_text()
LIMIT = TimeLimit(cpu=1)
RULES = Rules(("torch.nn.functional.softmax",), by_hand=("hand.slope",))
f64 = torch.float64


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as started:
        yield started


@pytest.fixture
def new_remote(zygote: Zygote) -> Iterator[Callable[..., RemoteSubmission]]:
    opened: list[RemoteSubmission] = []

    def make(problems: dict[str, str] | None = None, **sources: str) -> RemoteSubmission:
        folder = Path("/submitted/student/unit")
        submission = Submission("student", "unit", folder, {"sample": SOURCE, **sources}, problems or {})
        opened.append(RemoteSubmission(zygote, submission, RULES, WORKER_LIMITS))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def remote(new_remote: Callable[..., RemoteSubmission]) -> RemoteSubmission:
    return new_remote()


def case(remote: RemoteSubmission, module: str = "sample") -> Any:
    """The module at the start of a case."""
    return RemoteStudent(module, LiveLink(remote, module, LIMIT))


@pytest.fixture
def student(remote: RemoteSubmission) -> Any:
    return case(remote)


def assert_equal(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert same_bits(got, expected)
        assert got.requires_grad == expected.requires_grad
    elif isinstance(expected, list | tuple):
        for a, b in zip(got, expected, strict=True):
            assert_equal(a, b)
    elif isinstance(expected, dict):
        assert_equal(list(got.items()), list(expected.items()))
    else:
        assert got == expected


def leaf(*shape: int, dtype: torch.dtype = f64) -> torch.Tensor:
    return torch.linspace(-1, 1, math.prod(shape), dtype=dtype).reshape(shape).requires_grad_()


# ------------------------------------------------------------------------------ functions


def test_values_and_gradients_are_those_of_a_local_call(student):
    for dtype in (f64, torch.float32, torch.bfloat16):
        grads = []
        for module in (student, sample):
            x, y = leaf(3, 4, dtype=dtype), leaf(4, 2, dtype=dtype)
            result = module.matmul(x, y)
            result.square().sum().backward()
            grads.append([result.detach(), x.grad, y.grad])
        assert_equal(*grads)


def test_nested_results_keep_their_form(student):
    x = leaf(3)
    assert_equal(student.several(x, y=[1, (None, "a")]), sample.several(x, y=[1, (None, "a")]))
    assert_equal(student.several(torch.arange(4)), sample.several(torch.arange(4)))


def test_one_result_returned_twice_collects_both_gradients(student):
    x = leaf(3)
    a, b = student.same_twice(x)
    (a + 2 * b).sum().backward()
    assert torch.allclose(x.grad, 3 * x.exp())


def test_an_argument_may_be_returned_as_it_is(student):
    x = leaf(2)
    got = student.identity(x)
    (got * 5).sum().backward()
    assert x.grad.tolist() == [5, 5]


def test_a_tensor_that_is_not_used_has_no_gradient(student):
    x, y = leaf(2), leaf(2)
    student.unused(x, y).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert y.grad is None


def test_gradcheck(student):
    assert torch.autograd.gradcheck(student.cube_then_sine, (leaf(3, 2),))
    assert torch.autograd.gradcheck(student.matmul, (leaf(2, 3), leaf(3, 2)))


def test_calls_chain(student):
    x, local = leaf(3), leaf(3)
    student.cube_then_sine(student.cube_then_sine(x) * 2).sum().backward()
    sample.cube_then_sine(sample.cube_then_sine(local) * 2).sum().backward()
    assert_equal(x.grad, local.grad)


def test_no_graph_where_none_is_wanted(student):
    with torch.no_grad():
        assert not student.matmul(leaf(2, 2), leaf(2, 2)).requires_grad


def test_changes_in_place_show(student):
    results = []
    for module in (student, sample):
        x, y = torch.ones(3), torch.zeros(2)
        results.append((module.in_place(x[:2], y), x, y))
    assert_equal(*results)


def test_a_generator_is_advanced(student):
    mine, local = (torch.Generator().manual_seed(3) for _ in range(2))
    for n in (3, 16, 5):
        assert_equal(student.draw(n, mine), sample.draw(n, local))
    assert torch.equal(mine.get_state(), local.get_state())


def test_global_random_state_differs_from_call_to_call_and_not_from_case_to_case(remote):
    first, second = case(remote), case(remote)
    draws = [first.draw_globally(3), first.draw_globally(3)]
    assert not torch.equal(*draws)
    assert_equal([second.draw_globally(3), second.draw_globally(3)], draws)


def test_arguments_arrive_as_what_they_are(student):
    args = (
        None,
        True,
        1,
        2**70,
        0.5,
        math.inf,
        "a",
        [1],
        (1,),
        {"a": 1},
        torch.ones(1),
        torch.Generator(),
        len,
    )
    expected = sample.told(*args)
    assert student.told(*args) == [*expected[:-1], "function"]


@pytest.mark.parametrize(
    "x", [leaf(2, 3), leaf(2, 3).T, torch.ones(2, 1).expand(2, 5), torch.ones(4, 4)[::2], torch.ones(0, 3)]
)
def test_arguments_keep_their_layout(student, x):
    assert student.layout(x) == sample.layout(x)


def test_one_argument_passed_twice_is_one_there(student):
    x = torch.ones(2)
    assert student.are_one(x, x) is True
    assert student.are_one(x, x.clone()) is False


# ------------------------------------------------------------------------------ modules


def nets(student: Any, **options: Any) -> tuple[Any, Any]:
    """A remote module and a local one in the same state."""
    mine, local = student.Net(3, **options), sample.Net(3, **options)
    mine.load_state_dict(local.state_dict())
    return mine, local


def gradients(module: Any) -> dict[str, torch.Tensor | None]:
    return {name: p.grad for name, p in module.named_parameters()}


@pytest.mark.parametrize("tied", [False, True])
def test_a_module_has_the_state_of_the_local_one(student, tied):
    mine, local = nets(student, tied=tied)
    for kind in ("named_parameters", "named_buffers"):
        got, expected = dict(getattr(mine, kind)()), dict(getattr(local, kind)())
        assert got.keys() == expected.keys()
        assert all(same_bits(got[name], expected[name]) for name in got)
    assert mine.state_dict().keys() == local.state_dict().keys()
    assert {n for n, p in mine.named_parameters() if p.requires_grad} == {
        n for n, p in local.named_parameters() if p.requires_grad
    }
    assert (mine.out.weight is mine.inner.get_submodule("0").weight) is tied


@pytest.mark.parametrize("tied", [False, True])
def test_a_module_has_the_values_and_gradients_of_the_local_one(student, tied):
    mine, local = nets(student, tied=tied)
    results = []
    for module in (mine, local):
        x = leaf(4, 3, dtype=torch.float32)
        y = module(x)
        y.square().sum().backward()
        results.append([y.detach(), x.grad, gradients(module), dict(module.named_buffers())])
    assert_equal(*results)


def test_modes_and_running_statistics(student):
    mine, local = nets(student)
    for module in (mine, local):
        module(torch.randn(8, 3, generator=torch.Generator().manual_seed(1)))
        module.eval()
    assert_equal(mine.get_buffer("inner.1.running_mean"), local.get_buffer("inner.1.running_mean"))
    x = torch.ones(2, 3)
    assert_equal(mine(x).detach(), local(x).detach())
    assert mine.training is False


def test_a_buffer_that_is_replaced_shows_here(new_remote):
    source = SOURCE.replace("self.calls += 1", "self.kept = self.kept * 2")
    mine = case(new_remote(sample=source)).Net(3)
    for turn in (2, 4):
        mine(torch.ones(2, 3))
        assert mine.kept.tolist() == [turn] * 3


def test_double_and_changes_of_the_parameters_here(student):
    mine, local = nets(student)
    for module in (mine, local):
        module.double()
        with torch.no_grad():
            module.out.weight.mul_(3)
            module.inner.get_submodule("0").bias.fill_(0.5)
    x = leaf(4, 3)
    assert mine(x).dtype is f64
    assert_equal(mine(x).detach(), local(x).detach())


def test_other_methods_and_parameters_without_gradients(student):
    mine, local = nets(student)
    x, y = torch.ones(2, 3), torch.ones(1)
    assert_equal([t.detach() for t in mine.halves(x, y)], [t.detach() for t in local.halves(x, y)])
    mine.requires_grad_(False)
    assert not mine(x).requires_grad
    assert mine.count() == 2


def test_training_there_shows_here(student):
    mine, local = nets(student)
    x, y = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(2))
    assert_equal(student.train(mine, x, y, 3), sample.train(local, x, y, 3))
    assert_equal(dict(mine.state_dict()), dict(local.state_dict()))
    before = mine(x)
    assert student.train(mine, x, y, 1)[0] == (before - y).square().mean().item()


def test_a_part_of_a_module_cannot_be_called(student):
    with pytest.raises(TypeError, match="whole module"):
        student.Net(3).inner(torch.ones(1, 3))


def test_objects_stay_there_and_can_be_passed_on(student):
    stack = student.Stack()
    assert stack.push(torch.ones(2)) is stack
    stack.push(5)
    assert student.pop(stack) == 5
    assert_equal(stack.pop(), torch.ones(2))
    assert type(stack).__name__ == "Stack"


def test_a_case_begins_anew(remote):
    first = case(remote)
    stack = first.Stack().push(1)
    second = case(remote)
    second.identity(1)
    with pytest.raises(LookupError):
        stack.pop()


# ------------------------------------------------------------------------------ callbacks


def test_a_function_of_the_grader_is_called_back(student):
    seen = []

    def double(x, n):
        seen.append((x.tolist(), n))
        return {"x": x * 2}, n + 1

    got, n = student.call(double, torch.ones(2), 3)
    assert (got["x"].tolist(), n, seen) == ([2, 2], 4, [([1, 1], 3)])


def test_a_module_can_be_called_back_with_an_object_of_the_submission(student):
    stack = student.Stack()
    assert student.call(lambda s: s is stack, stack) is True


def test_what_the_callback_refuses_is_an_error_there(student):
    assert student.call_wrongly(lambda x: x).startswith("TypeError: ")


def test_a_failing_check_in_a_callback_comes_through_and_the_worker_is_replaced(remote):
    def fail(x):
        pytest.fail("found out")

    with pytest.raises(pytest.fail.Exception, match="found out"):
        case(remote).call(fail, 1)
    assert case(remote).identity(1) == 1


def test_calling_back_for_ever_is_a_timeout(remote):
    with pytest.raises(WorkerTimeout):
        case(remote).call_for_ever(lambda x: x)


# ------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    "kind",
    [
        "ValueError",
        "TypeError",
        "KeyError",
        "IndexError",
        "NotImplementedError",
        "ZeroDivisionError",
        "RuntimeError",
    ],
)
def test_a_builtin_error_is_of_its_kind(student, kind):
    with pytest.raises(kind_of(kind)) as caught:
        student.fail(kind)
    assert isinstance(caught.value, StudentError)
    assert (str(caught.value), caught.value.kind) == (str(kind_of(kind)(f"a {kind}")), kind)
    last = caught.value.lines[-1]
    assert (last.file, last.function) == ("sample.py", "fail")
    assert SOURCE.splitlines()[last.line - 1].strip() == last.code


def kind_of(name: str) -> type[Exception]:
    return getattr(__import__("builtins"), name)


def test_an_own_error_is_of_the_nearest_builtin_kind(student):
    with pytest.raises(KeyError) as caught:
        student.fail("own")
    assert (str(caught.value), caught.value.kind) == ("'an own one'", "OwnError")


@pytest.mark.parametrize(
    "kind", ["StopIteration", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "own base"]
)
def test_errors_that_would_act_on_the_grader_do_not(student, kind):
    with pytest.raises(StudentError) as caught:
        student.fail(kind)
    assert type(caught.value) is StudentError
    assert student.identity(1) == 1  # the worker goes on


def test_a_missing_function_is_an_attribute_error(student):
    with pytest.raises(AttributeError, match="no_such"):
        student.no_such(1)


def test_an_error_in_backward(student):
    y = student.fail_in_backward(leaf(2))
    with pytest.raises(ValueError, match="backward is broken"):
        y.sum().backward()


def test_forbidden_calls_are_refused_to_the_submission_alone(new_remote):
    remote = new_remote(short="import torch\n\n\ndef f(x):\n    return torch.nn.functional.softmax(x, -1)\n")
    with pytest.raises(RuntimeError, match="write yourself"):
        case(remote, "short").f(torch.ones(2))


def test_what_is_to_be_written_by_hand_cannot_reach_autograd(new_remote):
    slope = "    import torch\n    return torch.autograd.grad((x * x).sum(), x)[0]\n"
    remote = new_remote(hand=f"def slope(x):\n{slope}\n\ndef free(x):\n{slope}\n")
    with pytest.raises(RuntimeError, match=r"torch\.autograd\.grad .* slope is to be written by hand"):
        case(remote, "hand").slope(leaf(2))
    assert case(remote, "hand").free(leaf(2)).shape == (2,)


def test_another_module_of_the_submission_shares_its_objects(new_remote):
    made = "class Cell:\n    def __init__(self):\n        self.value = 3\n"
    remote = new_remote(making=made, using="def read(cell):\n    return cell.value\n", broken="1 / 0\n")
    student = case(remote, "using")
    assert student.read(beside(student, "making").Cell()) == 3
    with pytest.raises(ZeroDivisionError):
        beside(student, "broken").f()
    assert student.read(beside(student, "making").Cell()) == 3


@pytest.mark.parametrize("base", ["list", "dict"])
def test_what_a_class_makes_is_an_object_also_where_it_is_a_kind_of_container(new_remote, base):
    remote = new_remote(
        box=f"class Box({base}):\n    pass\n\n\ndef keep(box, x):\n    box.last = x\n\n\n"
        "def last(box):\n    return box.last\n"
    )
    student = case(remote, "box")
    box = student.Box()
    student.keep(box, 5)
    assert student.last(box) == 5


def test_what_is_printed_is_kept_in_part(new_remote):
    remote = new_remote(loud="def f():\n    print('x' * 10**7)\n    raise ValueError\n")
    link = LiveLink(remote, "loud", LIMIT)
    with pytest.raises(ValueError, match=r"^$"):
        RemoteStudent("loud", link).f()
    assert 1000 < len(link.printed) < 10_000
    assert set(link.printed) == {"x", "…"}


# ------------------------------------------------------------------------------ import


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("def f(:\n", SyntaxError, "invalid syntax"),
        ("import pandas\n", ModuleNotFoundError, "where submissions are graded"),
        ("1 / 0\n", ZeroDivisionError, "division"),
        ("import os\nos.listdir('/')\n", StudentError, "not permitted"),
        ("import sys\nsys.exit(3)\n", StudentError, "3"),
    ],
)
def test_an_import_that_fails_costs_its_module_and_is_not_tried_again(new_remote, source, kind, text):
    remote = new_remote(broken=source)
    for _ in range(2):
        with pytest.raises(kind, match=text):
            case(remote, "broken").f()
    assert case(remote).identity(1) == 1


def test_an_import_that_ends_the_process_costs_its_module(new_remote):
    remote = new_remote(broken="import os\nos._exit(5)\n")
    for _ in range(2):
        with pytest.raises(WorkerCrashed, match=r"exit status 5 .* while broken.py was imported"):
            case(remote, "broken").f()
    assert case(remote).identity(1) == 1


def test_a_module_that_could_not_be_read_is_its_problem(new_remote):
    remote = new_remote(problems={"lost": "lost.py is missing."})
    with pytest.raises(ModuleProblem, match=r"lost\.py is missing"):
        case(remote, "lost").f()


def test_siblings_import_one_another(new_remote):
    remote = new_remote(
        helper="NUMBER = 5\n", user="from helper import NUMBER\n\n\ndef f():\n    return NUMBER\n"
    )
    assert case(remote, "user").f() == 5


# ------------------------------------------------------------------------------ loss and replacement


@pytest.mark.parametrize(
    ("function", "args", "error", "text"),
    [
        ("spin", (), WorkerTimeout, "used more than 1 s of CPU time"),
        ("leave", (0,), WorkerCrashed, "exit status 0"),
        ("leave", (7,), WorkerCrashed, "exit status 7"),
        ("hang_up", (), WorkerCrashed, "hung up"),
    ],
)
def test_a_lost_worker_says_how_and_is_replaced(remote, function, args, error, text):
    with pytest.raises(error, match=text):
        getattr(case(remote), function)(*args)
    assert case(remote).identity(1) == 1


def test_who_sleeps_runs_out_of_time_on_the_clock(remote, monkeypatch):
    monkeypatch.setattr(TimeLimit, "wall", property(lambda self: 0.5))
    with pytest.raises(WorkerTimeout, match="no answer within"):
        case(remote).sleep()


def test_a_worker_that_died_between_two_cases_costs_none(new_remote):
    timer = "import os\nimport threading\n\n\ndef f():\n    threading.Timer(0.2, os._exit, (0,)).start()\n"
    remote = new_remote(timed=timer)
    case(remote, "timed").f()
    worker = remote._worker
    for _ in range(100):
        if worker.ended:
            break
        time.sleep(0.05)
    assert worker.ended
    assert case(remote).identity(1) == 1


def test_a_worker_is_locked_down(remote):
    case(remote).identity(1)
    assert {"no_new_privs", "rlimits", "seccomp", "empty environment", "closed descriptors"} <= {
        *remote.layers
    }


def test_a_submission_is_alone_in_its_worker(new_remote):
    assert case(new_remote()).remember(1) == 1
    one = new_remote()
    assert [case(one).remember(1), case(one).remember(1)] == [1, 2]
    assert case(new_remote()).remember(1) == 1


# ------------------------------------------------------------------------------ answers that are none


class Liar:
    """A link whose other end answers what it likes."""

    def __init__(self, result: wire.Result, table: list[torch.Tensor]) -> None:
        self.result, self.table = result, table

    def perform(self, step: Any, tensors: Any, answer_callback: Any) -> Any:
        if isinstance(step, wire.Vjp) and not isinstance(self.result, wire.Gradients):
            return wire.Gradients([None]), []
        if isinstance(step, wire.Call) and isinstance(self.result, wire.Gradients):
            return wire.Returned(wire.TensorRef(0, None, True)), [torch.ones(2)]
        return self.result, self.table


def module(*names: str, index: int = 0, **more: Any) -> wire.Returned:
    state = wire.ModuleState(0, True, {name: wire.TensorRef(index) for name in names})
    return wire.Returned(wire.ObjectRef(0), [wire.ModuleDescription(state, list(names), **more)])


ref = wire.TensorRef(0)


@pytest.mark.parametrize(
    "result",
    [
        wire.Gradients([ref]),
        wire.Returned(wire.TensorRef(1)),
        wire.Returned(wire.TensorRef(0, (10**12,))),
        wire.Returned(wire.DictOf([(wire.ListOf([]), 1)])),
        wire.Returned(wire.BigInt("x")),
        wire.Returned(wire.CallbackRef(0)),
        wire.Returned(wire.GeneratorRef(0)),
        wire.Returned("x" * 200_000),
        wire.Returned(None, mutated=[(9, ref)]),
        wire.Returned(None, mutated=[(0, wire.TensorRef(1))]),
        wire.Returned(None, mutated=[(0, ref)]),
        wire.Returned(None, states=[wire.ModuleState(5, True, {})]),
        wire.Returned(wire.ListOf([wire.TensorRef(0, None, True)] * 2 + [wire.TensorRef(7, None, True)])),
        module("forward"),
        module("__class__"),
        module("_conversation"),
        module(""),
        module("a", "a.b"),
        module("train.weight"),
        module("weight", index=3),
        module("weight", aliases={"other": "missing"}),
        module(".".join("a" * 200_000)),
        module(*[f"{i}." * 60 + "x" for i in range(3000)]),
        module(*[f"p{i}" for i in range(11_000)]),
    ],
)
def test_what_cannot_be_put_together_is_no_answer(result):
    student: Any = RemoteStudent("sample", Liar(result, [torch.ones(2)]))

    def ask() -> None:
        student.f(torch.ones(3, requires_grad=True)).sum().backward()

    with pytest.raises(WorkerCrashed):
        ask()


@pytest.mark.parametrize("shape", [(3,), (), (0,), (2, 2)])
def test_gradients_have_the_shape_of_what_they_are_of(shape):
    student: Any = RemoteStudent("sample", Liar(wire.Gradients([ref]), [torch.ones(shape)]))
    y = student.f(torch.ones(2, requires_grad=True))
    with pytest.raises(WorkerCrashed, match="gradient of shape"):
        y.sum().backward()


# ------------------------------------------------------------------------------ replay


def body(student: Any, x: torch.Tensor) -> Any:
    """A check of several steps: a call, its gradient, an error, a module that is trained."""
    leaf_ = x.clone().requires_grad_()
    y = student.cube_then_sine(leaf_)
    y.sum().backward()
    with pytest.raises(ValueError, match="a ValueError"):
        student.fail("ValueError")
    net = student.Net(3)
    losses = student.train(net, x, x, 2)
    generator = torch.Generator().manual_seed(1)
    return (
        y.detach(),
        leaf_.grad,
        losses,
        dict(net.state_dict()),
        student.draw(3, generator),
        generator.get_state(),
    )


CASES = [torch.linspace(-1, n, 12).view(4, 3) for n in range(3)]


@pytest.fixture
def recorded(remote: RemoteSubmission) -> tuple[list[Any], Prefetch]:
    links = [LiveLink(remote, "sample", LIMIT, record=True) for _ in CASES]
    results = [body(RemoteStudent("sample", link), x) for link, x in zip(links, CASES, strict=True)]
    transcripts = [link.transcript for link in links if link.transcript is not None]
    assert all(transcript.can_be_replayed for transcript in transcripts)
    return results, Prefetch(transcripts)


def ask_ahead(prefetch: Prefetch, remote: RemoteSubmission, count: int = 1) -> Iterator[Answer]:
    """The answers, until they end."""
    ahead = prefetch.start(remote, "sample", LIMIT)
    answers = (prefetch.answer(i, ahead, remote) for i in range(count))
    return (answer for answer in answers if answer is not None)


def test_a_replay_is_what_live_calls_are(recorded, new_remote):
    live, prefetch = recorded
    answers = ask_ahead(prefetch, new_remote(), len(CASES))
    replayed = [
        body(RemoteStudent("sample", answer.link()), x) for answer, x in zip(answers, CASES, strict=True)
    ]
    assert_equal(replayed, live)


def test_a_case_that_is_over_leaves_nothing_behind(remote, new_remote):
    x = torch.ones(2, 3, dtype=f64)
    live = LiveLink(remote, "sample", LIMIT, record=True)
    RemoteStudent("sample", live).several(x.clone().requires_grad_())
    [answer] = ask_ahead(Prefetch([live.transcript]), new_remote())
    link = answer.link()
    # two results of one node, and a check that fails before it differentiates, which would dissolve the graph
    results = RemoteStudent("sample", link).several(x.clone().requires_grad_())
    alive = weakref.ref(link)
    del link, answer, results
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(x**3).sin()", "x * 2"),  # another cotangent of the next call
        ('raise getattr(__import__("builtins"), kind)(f"a {kind}")', "return 1"),
        ('self.register_buffer("kept", torch.ones(n))', 'self.register_buffer("kept", torch.ones(n) * 2)'),
    ],
)
def test_who_leads_the_check_another_way_diverges_or_answers_for_himself(recorded, new_remote, old, new):
    _, prefetch = recorded
    assert old in SOURCE
    answers = ask_ahead(prefetch, new_remote(sample=SOURCE.replace(old, new)), len(CASES))
    outcomes = []
    for answer, x in zip(answers, CASES, strict=True):
        try:
            outcomes.append(body(RemoteStudent("sample", answer.link()), x))
        except Diverged:
            outcomes.append("diverged")
        except pytest.fail.Exception:
            outcomes.append("failed")
    live = []
    remote = new_remote(sample=SOURCE.replace(old, new))
    for x in CASES:
        try:
            live.append(body(case(remote), x))
        except pytest.fail.Exception:
            live.append("failed")
    assert len(outcomes) == len(CASES)
    for got, expected in zip(outcomes, live, strict=True):
        if got != "diverged":
            assert_equal(got, expected)


square = torch.ones(2, 2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda student: student.matmul(square, torch.tensor([[1.0, 1.0], [1.0, 1.0 + 2**-23]])),
        lambda student: student.matmul(square, square.double()),
        lambda student: student.matmul(square, square.clone().requires_grad_()),
        lambda student: student.matmul(y=square, x=square),
        lambda student: student.unused(square, square),
        lambda student: (student.matmul(square, square.clone()), student.identity(1)),
    ],
    ids=["value", "dtype", "gradient", "names", "function", "one more"],
)
def test_another_question_than_the_recorded_one_diverges(remote, ask):
    link = LiveLink(remote, "sample", LIMIT, record=True)
    RemoteStudent("sample", link).matmul(square, square.clone())
    [answer] = ask_ahead(Prefetch([link.transcript]), remote)
    with pytest.raises(Diverged):
        ask(RemoteStudent("sample", answer.link()))


def test_a_divergence_is_not_caught_as_an_error_of_the_submission(remote):
    link = LiveLink(remote, "sample", LIMIT, record=True)
    y = RemoteStudent("sample", link).cube_then_sine(leaf(2))
    y.sum().backward()
    [answer] = ask_ahead(Prefetch([link.transcript]), remote)
    y = RemoteStudent("sample", answer.link()).cube_then_sine(leaf(2)) * 2
    with pytest.raises(Diverged), contextlib.suppress(Exception):  # also out of autograd's engine
        y.sum().backward()


def test_a_worker_lost_in_the_middle_ends_the_answers(recorded, new_remote):
    _, prefetch = recorded
    count = "COUNT = []\n\n\ndef train(model, x, y, steps):\n    COUNT.append(1)\n"
    leaving = count + "    if len(COUNT) == 2:\n        os._exit(4)\n"
    source = SOURCE.replace("def train(model, x, y, steps):\n", leaving)
    answers = ask_ahead(prefetch, new_remote(sample=source), len(CASES))
    next(answers)
    with pytest.raises(WorkerLost, match="exit status 4"):
        next(answers)
    assert list(answers) == []


def test_a_call_that_calls_back_is_not_replayed(remote):
    link = LiveLink(remote, "sample", LIMIT, record=True)
    RemoteStudent("sample", link).call(lambda x: x, 1)
    assert not link.transcript.can_be_replayed


def test_who_calls_back_where_others_did_not_is_asked_case_by_case(new_remote):
    refuses = "def search(step, beam):\n    raise ValueError('beam')\n"
    link = LiveLink(new_remote(search=refuses), "search", LIMIT, record=True)
    with pytest.raises(ValueError, match="beam"):
        RemoteStudent("search", link).search(lambda x: x, 0)
    assert link.transcript.can_be_replayed
    remote = new_remote(search="def search(step, beam):\n    return step(beam)\n")
    prefetch = Prefetch([link.transcript] * 2)
    ahead = prefetch.start(remote, "search", LIMIT)
    ahead.fetch()
    with pytest.raises(Diverged):
        prefetch.answer(0, ahead, remote).link()
    assert prefetch.answer(1, ahead, remote) is None
    assert case(remote, "search").search(lambda x: x + 1, 4) == 5

"""The author's library: assertions and properties pass on right code and say what is wrong in wrong code."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from autograder.check import Check, Failure
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    assert_zero,
    check_batch_independence,
    check_causal,
    check_deterministic_under_generator,
    check_dtype_and_device,
    check_gradcheck,
    check_gradients,
    check_ignores,
    check_layouts,
    check_permutation_equivariance,
    check_permutation_invariance,
    check_pure,
    describe_case,
    describe_tensor,
    exercise,
    expect_no_nan,
    expect_outputs,
    expect_tuple,
    expect_value_error,
    fill_parameters,
    generator,
    gradients,
    leaf,
    note,
    other_where,
    poison_where,
    tolerance,
    weights_like,
)
from autograder.checks.describe import ITEMS, describe_type
from autograder.checks.strategies import (
    distinct_sizes,
    lengths,
    masks,
    permutations,
    seeds,
    sizes,
    tensor_from,
    tensors,
    token_ids,
)
from autograder.checks.vacuity import Seen, watching
from autograder.errors import StudentError
from autograder.failures import failure_text

F64 = torch.float64


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return tensor_from(seed, shape)


def attention(x: Tensor) -> Tensor:
    """A sound function with something to get wrong in every respect: (batch, steps, d) -> the same."""
    return (x @ x.mT / x.shape[-1] ** 0.5).softmax(-1) @ x


def causal_attention(x: Tensor) -> Tensor:
    steps = x.shape[1]
    future = torch.ones(steps, steps, dtype=torch.bool).triu(1)
    return (x @ x.mT).masked_fill(future, -torch.inf).softmax(-1) @ x


class TestFailure:
    def test_rows_are_aligned_and_the_reason_stands_last(self) -> None:
        failure = CheckFailure(("expected", "1"), ("got", "2\n3"), because="of arithmetic")
        assert str(failure) == "expected  1\ngot       2\n          3\nbecause   of arithmetic"

    def test_is_an_assertion_error_with_its_parts(self) -> None:
        failure = CheckFailure(("got", "2")).preceded_by(("changed", "x"))
        assert isinstance(failure, AssertionError)
        assert (failure.rows, failure.because) == ((("changed", "x"), ("got", "2")), None)


class TestDescribe:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (torch.tensor([[0.0, 1 / 3]]), "[[0.0, 0.3333]]"),
            (torch.tensor([True, False]), "[True, False]"),
            (torch.tensor(7), "7"),
            (torch.zeros(2, 3, 4, dtype=F64), "float64 (2, 3, 4)"),
            (
                torch.zeros(3, 4).index_put(
                    (torch.tensor([1, 2]), torch.tensor([2, 0])), torch.tensor(torch.nan)
                ),
                "float32 (3, 4) with 2 NaN (first at [1, 2])",
            ),
            (torch.full((3, 3), -torch.inf), "float32 (3, 3) with 9 inf (first at [0, 0])"),
        ],
    )
    def test_tensor(self, value: Tensor, text: str) -> None:
        assert describe_tensor(value) == text

    def test_case_shows_fields_and_not_what_is_computed_from_them(self) -> None:
        @dataclass(frozen=True, eq=False)
        class Case:
            q: Tensor
            k: Tensor
            mask: Tensor
            layers: tuple[Tensor, ...]
            kind: str

            @cached_property
            def expected(self) -> Tensor:
                return self.q

        case = Case(
            torch.zeros(1, 1), torch.zeros(3, 4), torch.tensor([[True, False]]), (torch.ones(1),), "dot"
        )
        assert case.expected is case.q
        assert describe_case({"case": case, "n": 3}) == (
            "q (1, 1) [[0.0]]  k (3, 4)  mask (1, 2) [[True, False]]  layers[0] (1,) [1.0]  kind 'dot'  n 3"
        )

    def test_case_leaves_out_what_says_nothing_and_shows_weights(self) -> None:
        @dataclass(frozen=True, eq=False)
        class Case:
            batches: tuple[tuple[Tensor, Tensor], ...] = field(metadata={ITEMS: ("tokens", "lengths")})
            memory: Tensor
            seed: int = field(repr=False)

            @property
            def beside_the_point(self) -> tuple[str, ...]:
                return ("memory",)

            @cached_property
            def state(self) -> dict[str, Tensor]:
                return {"out.bias": torch.full((1,), -1.0)}

        case = Case(((torch.tensor([[7]]), torch.tensor([1])),), torch.zeros(1), 5)
        batch = "batches[0] tokens (1, 1) [[7]]  lengths (1,) [1]"
        assert describe_case({"case": case}) == batch
        assert case.state
        assert describe_case({"case": case}) == f"{batch}  out.bias (1,) [-1.0]"
        assert describe_case({"case": case, "n": 2}, mentioned=()) == "n 2"

    def test_long_case_goes_on_in_another_line(self) -> None:
        lines = describe_case(dict.fromkeys("abc", "x" * 40)).splitlines()
        assert [line.count("x") for line in lines] == [80, 40]

    def test_case_is_capped(self) -> None:
        assert len(describe_case({f"argument_{i}": "x" * 100 for i in range(50)}, limit=300)) == 300


class TestAssertClose:
    def test_passes_within_rounding_and_with_equal_nan_and_inf(self) -> None:
        x = torch.tensor([1.0, torch.nan, -torch.inf], dtype=F64)
        assert_close(x * (1 + 1e-12), x)
        assert_close(torch.tensor([1, 2]), torch.tensor([1, 2]))
        assert_close(torch.zeros(0, 3), torch.zeros(0, 3))

    @pytest.mark.parametrize(
        ("got", "text"),
        [
            (None, "None (is a `return` missing?)"),
            (1.5, "the number 1.5"),
            ((torch.zeros(2, 3), torch.zeros(2)), "a tuple of 2 (tensor (2, 3), tensor (2,))"),
            (np.zeros((2, 3)), "a NumPy array, not a tensor"),
            (nn.Linear(1, 1), "a module"),
            ({}, "a value of type dict"),
        ],
    )
    def test_what_is_not_a_tensor(self, got: object, text: str) -> None:
        assert describe_type(got) == text
        with pytest.raises(CheckFailure) as failure:
            assert_close(got, torch.zeros(2, 3), what="weights")
        assert failure.value.rows == (
            ("wrong", "weights is not a tensor"),
            ("expected", "a torch.Tensor"),
            ("got", text),
        )

    def test_subclass_is_not_believed(self) -> None:
        class Agreeable(Tensor):
            pass

        with pytest.raises(CheckFailure, match="not a tensor"):
            assert_close(torch.zeros(2).as_subclass(Agreeable), torch.zeros(2))

    def test_shape_by_the_names_of_dimensions(self) -> None:
        with pytest.raises(CheckFailure) as failure:
            assert_close(numbers(2, 4, 3), numbers(2, 3, 4), dims="batch queries d")
        assert dict(failure.value.rows) == {
            "wrong": "output has the wrong shape",
            "expected": "(batch 2, queries 3, d 4)",
            "got": "(2, 4, 3)",
            "advice": "the sizes are right but in another order: is something transposed?",
        }

    def test_shape_that_differs_in_ones(self) -> None:
        with pytest.raises(CheckFailure, match="keepdim, squeeze"):
            assert_shape(numbers(2, 1, 3), (2, 3))

    def test_dtype(self) -> None:
        with pytest.raises(CheckFailure, match=r"wrong dtype\nexpected  float64\ngot       float32"):
            assert_close(torch.zeros(2), torch.zeros(2, dtype=F64))

    def test_device(self) -> None:
        with pytest.raises(CheckFailure, match=r"wrong device\nexpected  cpu\ngot       meta"):
            assert_close(torch.zeros(2, device="meta"), torch.zeros(2))

    def test_nan_is_counted_and_located(self) -> None:
        got = numbers(3, 4)
        got[1, 2:] = torch.nan
        with pytest.raises(CheckFailure) as failure:
            assert_close(got, numbers(3, 4))
        assert failure.value.rows[:2] == (
            ("wrong", "output holds 2 NaN (first at [1, 2]), of 12 values"),
            ("where", "output[1, 2]"),
        )

    def test_worst_value_of_a_large_tensor(self) -> None:
        expected = torch.arange(24.0, dtype=F64).reshape(6, 4)
        got = expected.clone()
        got[0, 1] += 0.5
        got[2, 3] -= 5
        with pytest.raises(CheckFailure) as failure:
            assert_close(got, expected, because="we say so")
        assert failure.value.because == "we say so"
        assert failure.value.rows == (
            ("wrong", "output is not right: 2 of 24 values differ"),
            ("where", "output[2, 3], where it is furthest off"),
            ("expected", "11.0"),
            ("got", "6.0"),
        )

    def test_small_tensor_whole(self) -> None:
        with pytest.raises(CheckFailure, match=r"expected  \[0.0, 1.0\]\ngot       \[0.0, 1.5\]"):
            assert_close(torch.tensor([0.0, 1.5]), torch.tensor([0.0, 1.0]))

    def test_a_difference_in_late_digits_can_be_seen(self) -> None:
        with pytest.raises(CheckFailure, match=r"expected  1.0\ngot       1.0000001"):
            assert_close(torch.tensor(1.0000001, dtype=F64), torch.tensor(1.0, dtype=F64))

    def test_few_digits_more_than_agree_are_shown(self) -> None:
        with pytest.raises(CheckFailure) as failure:
            assert_close(torch.tensor([0.54521879, 1], dtype=F64), torch.tensor([0.54521844, 1], dtype=F64))
        rows = dict(failure.value.rows)
        assert (rows["expected"], rows["got"]) == ("[0.545218, 1.0]", "[0.545219, 1.0]")
        assert rows["notice"].startswith("they agree to five digits")

    def test_place_in_what_is_no_name(self) -> None:
        with pytest.raises(CheckFailure, match=r"where     gradient of q, at \[1\]\n"):
            assert_close(torch.tensor([0.0, 1.5]), torch.tensor([0.0, 1.0]), what="gradient of q")

    def test_of_wrong_integers_none_is_furthest_off(self) -> None:
        with pytest.raises(CheckFailure, match=r"where     output\[0\], the first of them\n"):
            assert_close(torch.tensor([1, 2]), torch.tensor([2, 4]))

    def test_unscaled_is_noticed(self) -> None:
        with pytest.raises(CheckFailure, match=r"every value is 2\.0 times what was expected"):
            assert_close(numbers(3, 4) * 2, numbers(3, 4))

    def test_transposed_square_is_noticed(self) -> None:
        with pytest.raises(CheckFailure, match="dimensions 0 and 1 are swapped"):
            assert_close(numbers(3, 3).mT, numbers(3, 3))

    def test_integers_are_exact(self) -> None:
        with pytest.raises(CheckFailure, match=r"1 of 2 values differs"):
            assert_close(torch.tensor([1, 2]), torch.tensor([1, 3]))

    @pytest.mark.parametrize(
        ("dtype", "low", "high"),
        [(F64, 1e-11, 1e-9), (torch.float32, 2e-5, 5e-4), (torch.bfloat16, 0.1, 0.5)],
    )
    def test_tolerance_lets_rounding_through_and_no_mistake(
        self, dtype: torch.dtype, low: float, high: float
    ) -> None:
        assert low < tolerance(dtype, 64) < high
        x = numbers(64).to(dtype)
        loop = torch.zeros((), dtype=dtype)
        for a in x:
            loop = loop + a * a
        assert_close(loop, x @ x)
        with pytest.raises(CheckFailure):
            assert_close((x @ x) * 2, x @ x)


class TestOtherAssertions:
    def test_unchanged_says_what_was_changed(self) -> None:
        assert_unchanged(numbers(3), numbers(3), changed="v[0]")
        with pytest.raises(CheckFailure) as failure:
            assert_unchanged(torch.ones(1), torch.zeros(1), changed="v[0]", because="it is masked")
        assert str(failure.value).splitlines() == [
            "changed   v[0]",
            "wrong     output is not right",
            "expected  output unchanged: [0.0]",
            "got       [1.0]",
            "because   it is masked",
        ]

    def test_unchanged_in_part(self) -> None:
        before, after = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [5.0, 4.0]])
        assert_unchanged(after, before, changed="row 1", where=torch.tensor([True, False]))
        with pytest.raises(CheckFailure, match=r"where     output\[1, 0\]"):
            assert_unchanged(after, before, changed="row 1", where=torch.tensor([False, True]))

    def test_nan_is_not_unchanged(self) -> None:
        x = torch.tensor([1.0, torch.nan])
        with pytest.raises(CheckFailure, match=r"output holds 1 NaN \(first at \[1\]\), of 2 values"):
            assert_unchanged(x, x, changed="nothing")
        with pytest.raises(CheckFailure, match="1 NaN"):
            assert_unchanged(x, x, changed="nothing", where=torch.tensor([False, True]))
        assert_unchanged(x, x, changed="nothing", where=torch.tensor([True, False]))
        assert_unchanged(x, x, changed="nothing: it was only looked at", computed=False)
        assert expect_no_nan(x[:1]) is not None

    def test_zero(self) -> None:
        x = torch.tensor([[0.0, 2.0], [0.0, 1e-30]])
        assert_zero(x, where=torch.tensor([True, False]))
        with pytest.raises(CheckFailure, match=r"1 of the 2 values of h.*\nwhere     h\[1, 1\]"):
            assert_zero(x, where=torch.tensor([[False], [True]]), what="h")
        with pytest.raises(CheckFailure, match="got       nan"):
            assert_zero(torch.tensor([torch.nan]))

    def test_tuple(self) -> None:
        assert expect_tuple([1, 2], 2, ("a", "b")) == (1, 2)
        with pytest.raises(
            CheckFailure, match=r"not a tuple of 2\nexpected  \(context, weights\)\ngot       a tensor"
        ):
            expect_tuple(numbers(2), 2, ("context", "weights"))
        with pytest.raises(CheckFailure, match="weights is not a tensor"):
            expect_outputs((numbers(2), 1), ("context", "weights"))

    @pytest.mark.parametrize("message", ["n_heads=3 does not divide 8", "n_heads: '3'", "bad n_heads (3.0)"])
    def test_value_error_in_any_wording(self, message: str) -> None:
        def refuse() -> None:
            raise ValueError(message)

        expect_value_error(refuse, "n_heads", 3)

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ValueError("n_heads=13 is bad"), "lacks the value 3"),
            (ValueError("heads: 3"), "lacks the name n_heads"),
            (ValueError("bad"), "lacks the name n_heads and the value 3"),
            (AssertionError("n_heads=3"), "AssertionError: n_heads=3"),
            (None, "no error, but None"),
        ],
    )
    def test_value_error_that_says_too_little(self, error: Exception | None, text: str) -> None:
        def call() -> None:
            if error:
                raise error

        with pytest.raises(CheckFailure, match=text):
            expect_value_error(call, "n_heads", 3)

    def test_value_error_of_a_word(self) -> None:
        def refuse() -> None:
            raise ValueError("kind must be one of dot, general, got 'cosine'")

        expect_value_error(refuse, "kind", "cosine")

    def test_value_error_of_a_relation_names_either_side(self) -> None:
        def refuse() -> None:
            raise ValueError("7 steps, but max_len=5")

        expect_value_error(refuse, ("x", "max_len"), 7)
        with pytest.raises(CheckFailure, match="lacks the name x or y"):
            expect_value_error(refuse, ("x", "y"), 7)

    def test_what_is_not_the_students_goes_through(self) -> None:
        class WorkerDied(Exception):
            pass

        def stub() -> None:
            raise NotImplementedError

        def dead() -> None:
            raise WorkerDied

        with pytest.raises(NotImplementedError):
            expect_value_error(stub, "k", 0)
        with pytest.raises(WorkerDied):
            expect_value_error(dead, "k", 0)

    def test_exercise_is_the_engines_mark(self) -> None:
        mark = exercise("rnn_step", points=3).mark
        assert (mark.name, mark.args, mark.kwargs) == ("exercise", ("rnn_step",), {"points": 3})


class TestTensors:
    def test_poison_covers_leading_dimensions_in_turn_and_leaves_the_case_alone(self) -> None:
        x = torch.zeros(2, 3, 2)
        (poisoned,) = poison_where(torch.tensor([[True, False, True]]), x)
        assert torch.equal(x, torch.zeros(2, 3, 2))
        assert poisoned[:, 1].eq(0).all()
        assert poisoned[0, 0].isnan().tolist() == [True, False]
        assert poisoned[0, 0, 1] == torch.inf
        assert poisoned[0, 2].tolist() == [-torch.inf, pytest.approx(1e18)]

    def test_other_values_differ_everywhere_and_only_there(self) -> None:
        x = tensor_from(3, (4, 3), normal=False)
        (other,) = other_where(torch.tensor([True, False, True, False]), x)
        assert (other != x)[::2].any(-1).all()
        assert torch.equal(other[1::2], x[1::2])

    def test_cotangents_are_fixed_and_uneven(self) -> None:
        w = weights_like(torch.zeros(2, 3, dtype=F64))
        assert torch.equal(w, weights_like(torch.ones(2, 3, dtype=F64)))
        assert w.unique().numel() == 6
        assert not torch.equal(w, weights_like(w, turn=1))

    def test_filled_parameters_do_not_depend_on_their_start(self) -> None:
        one, two = nn.Linear(3, 2), nn.Linear(3, 2)
        for module in (one, two):
            fill_parameters(module, seed=5, scale=2.0, vectors=0.1)
        assert torch.equal(one.weight, two.weight)
        assert torch.equal(one.bias, two.bias)
        assert one.bias.abs().max() < one.weight.abs().max()

    def test_gradients_are_zeros_where_unused(self) -> None:
        x, y = leaf(torch.ones(2)), leaf(torch.ones(3))
        grads = gradients((2 * x, torch.ones(2)), (x, y), (torch.tensor([1.0, 3.0]), torch.ones(2)))
        assert [g.tolist() for g in grads] == [[2.0, 6.0], [0.0, 0.0, 0.0]]
        assert gradients(torch.ones(2), (x,))[0].tolist() == [0.0, 0.0]


class TestStrategies:
    @given(sizes=distinct_sizes(3), size=sizes(2), seed=seeds())
    def test_sizes(self, sizes: tuple[int, ...], size: int, seed: int) -> None:
        assert len(set(sizes)) == 3
        assert size in (1, 2)
        assert 0 <= seed < 2**16

    @given(x=tensors((2, 3), scale=2.0), ids=token_ids((2, 3), vocab=5, min=2))
    def test_tensors(self, x: Tensor, ids: Tensor) -> None:
        assert (x.shape, x.dtype) == ((2, 3), F64)
        assert (ids.shape, ids.dtype) == ((2, 3), torch.int64)
        assert ((ids >= 2) & (ids < 5)).all()

    @given(
        small=masks((2, 3), at_least_one=1), large=masks((4, 3, 5), at_least_one=-1), columns=masks((2, 3), 0)
    )
    def test_masks_keep_something(self, small: Tensor, large: Tensor, columns: Tensor) -> None:
        assert small.any(1).all()
        assert large.any(-1).all()
        assert columns.any(0).all()

    @given(n=lengths(3, 4), order=permutations(4))
    def test_lengths_and_permutations(self, n: Tensor, order: Tensor) -> None:
        assert n.dtype == order.dtype == torch.int64
        assert n.min() >= 1
        assert n.max() <= 4
        assert sorted(order.tolist()) == [0, 1, 2, 3]

    def test_shrinks_to_what_can_be_read(self) -> None:
        from hypothesis import find

        assert find(tensors((2,)), lambda x: True).tolist() == [0.0, 0.0]
        assert find(masks((3,)), lambda m: not m.all()).tolist().count(False) == 1
        assert find(tensors((2,)), lambda x: bool((x != 0).any())).abs().max() <= 3
        assert find(st.tuples(sizes(), masks((6, 6))), lambda _: True)[1].all()


PERM = torch.tensor([2, 0, 1])
X = numbers(2, 3, 4)


class TestPermutation:
    def test_equivariance(self) -> None:
        check_permutation_equivariance(attention, X, dim=1, perm=PERM, because="it treats all steps alike")
        with pytest.raises(CheckFailure) as failure:
            check_permutation_equivariance(
                causal_attention, X, dim=1, perm=PERM, because="it treats all steps alike"
            )
        assert failure.value.because == "it treats all steps alike"
        assert failure.value.rows[0] == ("changed", "the input reordered along dimension 1: [2, 0, 1]")
        assert dict(failure.value.rows)["expected"].startswith("output reordered in the same way: ")

    def test_invariance(self) -> None:
        def readout(k: Tensor, v: Tensor) -> Tensor:
            return (k.softmax(-1).unsqueeze(-1) * v).sum(-2)

        def positional(k: Tensor, v: Tensor) -> Tensor:
            return readout(k, v) + v[:, 0]

        inputs, dims = (numbers(2, 3), numbers(2, 3, 4)), (1, 1)
        check_permutation_invariance(readout, inputs, dims=dims, perm=PERM, because="")
        with pytest.raises(CheckFailure, match=r"\[2, 0, 1\]"):
            check_permutation_invariance(positional, inputs, dims=dims, perm=PERM, because="")

    def test_wrong_shape_is_said(self) -> None:
        with pytest.raises(CheckFailure, match="size 3 in dimension 1"):
            check_permutation_equivariance(lambda x: x[:, :1], X, dim=1, perm=PERM, because="")


class TestMasking:
    mask = torch.tensor([[True, True, False], [True, False, False]])

    def ignores(self, f: object, **options: bool) -> None:
        check_ignores(
            lambda v: f(v),  # type: ignore[operator]
            [X],
            [~self.mask],
            changed="masked-out steps",
            because="they are padding",
            **options,
        )

    def test_sound(self) -> None:
        self.ignores(lambda v: v.where(self.mask[..., None], 0.0).sum(1))

    def test_forgotten_mask(self) -> None:
        with pytest.raises(CheckFailure) as failure:
            self.ignores(lambda v: v.sum(1))
        assert failure.value.rows[0] == ("changed", "masked-out steps, to other values")
        assert failure.value.because == "they are padding"

    def test_zero_times_nan(self) -> None:
        times = lambda v: (v * self.mask[..., None]).sum(1)  # noqa: E731
        self.ignores(times, not_finite=False)
        with pytest.raises(CheckFailure, match="to NaN, inf, -inf and 1e18 in turn"):
            self.ignores(times)

    def test_leaking_gradient(self) -> None:
        def leaks(v: Tensor) -> Tensor:
            return v.where(self.mask[..., None], 0.0).sum(1) + (v - v.detach()).nan_to_num(
                posinf=0, neginf=0
            ).sum(1)

        with pytest.raises(CheckFailure, match="gradient flows to what must not matter"):
            self.ignores(leaks)

    def test_law_of_some_outputs_only(self) -> None:
        def per_row(v: Tensor) -> Tensor:
            return v.sum(-1)

        check_ignores(per_row, [X], [~self.mask], keep=[self.mask], changed="others", because="")
        with pytest.raises(CheckFailure):
            check_ignores(per_row, [X], [~self.mask], keep=[~self.mask], changed="others", because="")

    def test_causal(self) -> None:
        check_causal(causal_attention, X, at=1)
        with pytest.raises(CheckFailure, match="the input from step 2 on"):
            check_causal(attention, X, at=2)

    def test_causal_by_gradient(self) -> None:
        def leaks(x: Tensor) -> Tensor:
            return causal_attention(x) + (x - x.detach()).sum(1, keepdim=True)

        with pytest.raises(CheckFailure, match="gradient flows to what must not matter"):
            check_causal(leaks, X, at=2)


class TestGradients:
    def test_inputs(self) -> None:
        def product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            return a * b, a + b

        inputs = (numbers(2, 3), numbers(2, 3, seed=2))
        check_gradients(product, inputs, lambda a, b: (b * a, b + a), names=("a", "b"))
        with pytest.raises(CheckFailure, match="gradient of b is not right"):
            check_gradients(lambda a, b: (a * b.detach(), a + b), inputs, product, names=("a", "b"))
        with pytest.raises(CheckFailure, match=r"gradient of a, b is 0 everywhere"):
            check_gradients(
                lambda a, b: (torch.ones(2, 3), torch.ones(2, 3)), inputs, product, names=("a", "b")
            )

    def test_parameters(self) -> None:
        theirs = nn.Linear(4, 2).double()
        mine = nn.Linear(4, 2).double()
        mine.load_state_dict(theirs.state_dict())
        check_gradients(mine, [X], theirs, names=["x"], modules=(mine, theirs))
        with pytest.raises(CheckFailure, match="gradient of bias is not right"):
            check_gradients(
                lambda x: x @ mine.weight.mT + 2 * mine.bias, [X], theirs, names=["x"], modules=(mine, theirs)
            )

    def test_given_gradients(self) -> None:
        check_gradients(torch.sin, [X], [X.cos() * weights_like(X)], names=["x"])

    def test_gradcheck(self) -> None:
        check_gradcheck(attention, [X])
        with pytest.raises(CheckFailure, match="not the slope of the output"):
            check_gradcheck(lambda x: x * x.detach(), [X])
        with pytest.raises(CheckFailure, match="no output depends on the inputs"):
            check_gradcheck(lambda x: x.detach() * 2, [X])


class TestCalls:
    def test_pure(self) -> None:
        check_pure(attention, X)
        with pytest.raises(CheckFailure) as failure:
            check_pure(lambda q, x: x[0, 1].mul_(2), numbers(1), X, names=("q", "x"))
        assert failure.value.rows[:2] == (("wrong", "x was modified in place"), ("where", "x[0, 1, 0]"))

    def test_pure_in_shape(self) -> None:
        with pytest.raises(CheckFailure, match="its shape"):
            check_pure(lambda x: x.unsqueeze_(0), X)

    def test_dtype(self) -> None:
        check_dtype_and_device(attention, [X])
        with pytest.raises(CheckFailure, match=r"wrong dtype\nexpected  bfloat16\ngot       float32"):
            check_dtype_and_device(lambda x: attention(x if x.dtype == F64 else x.float()), [X])

    def test_dtype_by_value(self) -> None:
        with pytest.raises(CheckFailure, match="the inputs are bfloat16"):
            check_dtype_and_device(lambda x: x + torch.finfo(x.dtype).eps * 100, [X])

    def test_how_it_was_called_is_noted(self) -> None:
        def view(x: Tensor) -> Tensor:
            return x.view(-1)

        with pytest.raises(RuntimeError) as error:
            check_layouts(view, [X])
        assert "non-contiguous" in error.value.__notes__[0]

    def test_batch_independence(self) -> None:
        check_batch_independence(attention, [X])
        with pytest.raises(CheckFailure, match="row 1 alone, of 2"):
            check_batch_independence(lambda x: x - x.mean(0), [X])

    def test_layouts(self) -> None:
        check_layouts(attention, [X])
        with pytest.raises(CheckFailure, match="not contiguous"):
            check_layouts(lambda x: torch.as_strided(x, x.shape, (12, 4, 1), 0), [X])

    def test_broadcast_inputs(self) -> None:
        def write(x: Tensor) -> Tensor:
            return x.mul_(2)

        with pytest.raises(RuntimeError) as error:
            check_layouts(write, [X])
        assert "broadcast" in error.value.__notes__[0]

    def test_generator(self) -> None:
        def draw(g: torch.Generator) -> Tensor:
            return torch.rand(4, generator=g)

        check_deterministic_under_generator(draw, 3, varies=True)

    def test_global_state(self) -> None:
        with pytest.raises(CheckFailure, match="none from torch's global state"):
            check_deterministic_under_generator(lambda g: torch.rand(4), 3, varies=True)

    def test_generator_that_is_left_alone(self) -> None:
        with pytest.raises(CheckFailure, match="the same after the call as before"):
            check_deterministic_under_generator(lambda g: torch.ones(4), 3, varies=True)

    def test_generator_that_is_ignored(self) -> None:
        def burn(g: torch.Generator) -> Tensor:
            torch.rand(4, generator=g)
            return torch.ones(4)

        check_deterministic_under_generator(burn, 3, varies=False)
        with pytest.raises(CheckFailure, match="9 generators with different seeds all gave the same result"):
            check_deterministic_under_generator(burn, 3, varies=True)

    def test_generator_seeded_anew_by_a_constant(self) -> None:
        def constant(g: torch.Generator) -> Tensor:
            return torch.rand(4, generator=g.manual_seed(0))

        with pytest.raises(CheckFailure, match="all gave the same result"):
            check_deterministic_under_generator(constant, 3, varies=True)

    @pytest.mark.parametrize(
        "check",
        [
            lambda f: check_pure(f, X),
            lambda f: check_layouts(f, [X]),
            lambda f: check_dtype_and_device(f, [X]),
            lambda f: check_batch_independence(f, [X]),
            lambda f: check_causal(f, X, at=1),
            lambda f: check_gradcheck(f, [X]),
            lambda f: check_deterministic_under_generator(f, 1, varies=False),
        ],
    )
    def test_a_stub_is_not_yet_written(self, check) -> None:
        def stub(x: Tensor) -> Tensor:
            raise NotImplementedError()

        with pytest.raises(NotImplementedError):
            check(stub)


LAWS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], None]] = {
    "pure": lambda f, x: check_pure(f, x),
    "dtype": lambda f, x: check_dtype_and_device(f, [x]),
    "batch": lambda f, x: check_batch_independence(f, [x]),
    "layouts": lambda f, x: check_layouts(f, [x]),
    "generator": lambda f, x: check_deterministic_under_generator(lambda g: burnt(g, f(x)), 1, varies=False),
    "equivariance": lambda f, x: check_permutation_equivariance(f, x, dim=1, perm=PERM, because=""),
    "invariance": lambda f, x: check_permutation_invariance(
        lambda x: f(x).sum(1), [x], dims=(1,), perm=PERM, because=""
    ),
    "ignores": lambda f, x: check_ignores(
        f, [x], [LAST_STEP], keep=[~LAST_STEP], changed="the last step", because="", not_finite=False
    ),
    "causal": lambda f, x: check_causal(f, x, at=1),
    "by hand": lambda f, x: note(f(x).tolist()),
}
LAST_STEP = torch.tensor([False, False, True]).expand(2, 3)


def burnt(g: torch.Generator, x: Tensor) -> Tensor:
    """`x`, for which a draw was made."""
    torch.rand(1, generator=g)
    return x


class TestVacuity:
    """A law that a constant obeys is no achievement, over all cases; in one case a constant can be right."""

    # One case to which zeros are the right answer, and others.
    cases = (torch.zeros(2, 3, 4, dtype=F64), *(numbers(2, 3, 4, seed=seed) for seed in (1, 2, 3)))

    @pytest.mark.parametrize("law", LAWS)
    @pytest.mark.parametrize("value", [0.0, 1.0, -0.5])
    def test_a_constant_obeys_in_vain(self, law: str, value: float) -> None:
        with watching() as seen:
            for x in self.cases:
                LAWS[law](lambda x: torch.full_like(x, value), x)
        assert seen.is_vacuous

    @pytest.mark.parametrize("law", sorted(LAWS.keys() - {"pure", "by hand"}))
    def test_nan_does_not_obey(self, law: str) -> None:
        with pytest.raises(CheckFailure, match="NaN"):
            LAWS[law](lambda x: torch.full_like(x, torch.nan), self.cases[1])

    @pytest.mark.parametrize("law", LAWS)
    def test_right_code_is_constant_in_some_cases_only(self, law: str) -> None:
        with watching() as seen:
            for x in self.cases:
                LAWS[law](lambda x: 2 * x, x)
        assert not seen.is_vacuous

    def test_what_was_only_left_alone_is_not_computed(self) -> None:
        with watching() as seen:
            check_pure(lambda x: None, X)
            assert_unchanged(torch.ones(2), torch.ones(2), changed="nothing", computed=False)
        assert not seen.is_vacuous

    @pytest.mark.parametrize(
        ("values", "vacuous"),
        [
            ([torch.zeros(0)], False),
            ([torch.zeros(2), torch.zeros(3)], True),
            ([torch.zeros(2), torch.tensor([0.0, 1.0])], False),
            ([torch.tensor([torch.inf, 1.0]), torch.tensor([torch.nan, 1.0])], True),
            ([torch.tensor([torch.nan, -torch.inf])], True),
            ([torch.tensor([True, True]), torch.tensor([False])], False),
            ([torch.tensor([True]), True], True),
            ([torch.full((2,), 2**40)], True),
            ([torch.full((2,), 1 + 1j)], True),
            ([[3, 3], [3], []], True),
            ([[3], [4]], False),
            ([(torch.zeros(2), torch.ones(2)), (torch.zeros(1), torch.ones(1))], True),
            ([None, "a"], False),
        ],
    )
    def test_one_finite_value_is_none(self, values: list[object], vacuous: bool) -> None:
        with watching() as seen:
            for value in values:
                note(value)
        assert seen.is_vacuous == vacuous

    def test_each_result_is_looked_at_by_itself(self) -> None:
        with watching() as seen:
            for step in range(3):
                note(torch.zeros(2), "context")
                note(1.0, f"loss of step {step}")
        assert seen.is_vacuous
        assert str(seen.failure()).splitlines() == [
            "wrong    context is 0.0, loss of step … is 1.0 in every case, whatever goes in",
            "because  a constant obeys this law without computing anything",
        ]
        note(torch.ones(2), "context")  # nobody is watching any more
        assert seen.is_vacuous

    def test_what_was_seen_apart_counts_together(self) -> None:
        with watching() as all_cases:
            for value in (0.0, 1.0):
                with watching() as one_case:
                    note(value)
                assert one_case.is_vacuous
                all_cases.include(one_case)
        assert not all_cases.is_vacuous

    def test_the_failure_names_the_constant(self) -> None:
        seen = Seen()
        seen.add(torch.tensor([torch.inf]), "logits")
        assert seen.failure().rows == (
            ("wrong", "logits is NaN or infinite in every case, whatever goes in"),
        )
        seen = Seen()
        seen.add((torch.full((2,), 3), 3), "ids")
        assert seen.failure().rows == (("wrong", "every result is 3 in every case, whatever goes in"),)


@dataclass(frozen=True, eq=False)
class Told:
    """A case of which a check reads a part."""

    q: Tensor
    k: Tensor
    perm: Tensor
    at: int
    w_1: Tensor

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        return self.q, self.k

    @cached_property
    def late(self) -> Tensor:
        return self.inputs[0] + self.at

    def weight(self, number: int) -> Tensor:
        return getattr(self, ("w_0", "w_1")[number])


TOLD = Told(torch.ones(1), torch.zeros(1), torch.tensor([0]), 0, torch.full((1,), 4.0))


def run_by_a_helper(case: Told) -> None:
    assert_close(case.weight(1), case.late)


class TestFailureText:
    def text(self, body: Callable[..., None], exercise: str = "scale", **case: Any) -> str:
        with pytest.raises((CheckFailure, RuntimeError, StudentError)) as failure:
            body(**case)
        check = Check("id", exercise, 1.0, "a law", "module", "unit", 4.0, 1.0)
        return failure_text(check, Failure(failure.value, case))

    def test_only_fields_that_the_check_reads_are_shown(self) -> None:
        def test_law(case: Told) -> None:
            assert_close(case.k + 1, case.k)

        assert "\n  smallest case  k (1,) [0.0]\n" in self.text(test_law, case=TOLD)

    def test_fields_are_found_behind_helpers_properties_and_names_in_strings(self) -> None:
        def test_law(case: Told) -> None:
            (lambda: run_by_a_helper(case))()

        told = "q (1,) [1.0]  k (1,) [0.0]  at 0  w_1 (1,) [4.0]"
        assert f"\n  smallest case  {told}\n" in self.text(test_law, case=TOLD)

    def test_all_fields_where_the_check_is_not_known(self) -> None:
        def law(case: Told) -> None:
            assert_close(case.k + 1, case.k)

        assert "perm (1,) [0]  at 0" in self.text(law, case=TOLD)

    def test_call_of_a_check_by_hand(self) -> None:
        class Student:
            def scale(self, x: Tensor, factor: float) -> Tensor:
                return x

        student = Student()

        def test_law() -> None:
            x = torch.ones(2)
            assert_close(student.scale(x, factor=2.0), 2 * x)

        assert "\n  called    scale(x, factor=2.0)\n            x (2,) [1.0, 1.0]\n" in self.text(test_law)
        assert "called" not in self.text(test_law, exercise="shift")

    def test_two_dtypes_get_an_advice(self) -> None:
        error = StudentError(
            "mat1 and mat2 must have the same dtype, but got Float and Double", "RuntimeError", ()
        )

        def test_law() -> None:
            raise error

        assert "\n  advice  checks compute in float64" in self.text(test_law)

    def test_weights_that_do_not_fit_are_told_from_the_modules_side(self) -> None:
        def test_law() -> None:
            nn.Linear(2, 1).load_state_dict({"weight": torch.ones(1, 3), "scale": torch.ones(1)})

        assert self.text(test_law).splitlines()[1:] == [
            "  wrong     the state dict does not have the names and shapes asked for",
            "  too many  bias",
            "  missing   scale",
            "  expected  weight (1, 3)",
            "  got       weight (1, 2)",
        ]


@given(x=tensors((2, 3)))
def test_generator_is_ones_own(x: Tensor) -> None:
    assert torch.equal(torch.rand(2, generator=generator(1)), torch.rand(2, generator=generator(1)))

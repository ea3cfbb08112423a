"""Hidden checks of reservoir.py."""

import math

import torch
from hypothesis import given, settings

from assignments.a1_rnn.cases import expect_spectral_radius, readout_cases, reservoir_cases, run_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    check_deterministic_under_generator,
    check_dtype_and_device,
    check_layouts,
    check_pure,
    exercise,
)
from solutions.a1_rnn import oracles

# One sound reservoir in so many is called too sparse or too dense.
FALSE_ALARM = 1e-9


@exercise("make_reservoir", points=4)
@settings(max_examples=10)
@given(case=reservoir_cases(n=(50, 60), densities=(0.1, 0.3, 0.7, 0.9, 1.0)))
def test_the_share_of_non_zeros_is_the_density(student, case):
    w = assert_like(case.draw(student), torch.empty(case.n, case.n), what="w", dims="n n")
    share = (w != 0).double().mean()
    # Hoeffding 1963: of N independent entries, P(|share - density| >= ε) <= 2 exp(-2 N ε²).
    margin = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * case.n**2))
    if not abs(float(share) - case.density) <= margin:
        raise CheckFailure(
            ("wrong", f"the share of entries that are not 0 is far from density={case.density:g}"),
            ("expected", f"{case.density:g} ± {margin:.3f}, of {case.n} · {case.n} entries"),
            ("got", f"{float(share):.3f}"),
        )


@exercise("make_reservoir", points=4)
@given(case=reservoir_cases(n=(3, 12)))
def test_the_generator_alone_decides(student, case):
    def draw(generator):
        return student.make_reservoir(case.n, case.spectral_radius, case.density, generator)

    check_deterministic_under_generator(draw, case.seed, varies=True, names=("w",))


@exercise("make_reservoir", points=4)
@given(case=reservoir_cases(n=(1, 30), densities=(0.2, 0.3)))
def test_sparse_reservoirs_of_any_size_have_the_spectral_radius(student, case):
    expect_spectral_radius(case.draw(student), case)


@exercise("run_reservoir", points=3)
@given(case=run_cases(max_steps=30))
def test_long_runs_are_those_of_pytorchs_rnn(student, case):
    assert_close(student.run_reservoir(*case.inputs), case.library, what="states", dims="time n")


@exercise("run_reservoir", points=3)
@settings(max_examples=12)
@given(case=run_cases())
def test_states_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    check_layouts(student.run_reservoir, case.inputs, names=("states",))
    check_pure(student.run_reservoir, *case.inputs, names=("x", "w_in", "w"))
    check_dtype_and_device(student.run_reservoir, case.inputs, names=("states",), terms=9)


@exercise("fit_readout", points=3)
@given(case=readout_cases())
def test_it_is_least_squares_with_the_ridge_as_more_observations(student, case):
    got = student.fit_readout(case.states, case.targets, case.ridge)
    expected = oracles.least_squares(case.states, case.targets, case.ridge)
    assert_close(got, expected, what="W", dims="outputs n", because=f"ridge is {case.ridge:g}")


@exercise("fit_readout", points=3)
@settings(max_examples=12)
@given(case=readout_cases(ridges=(3.0, 100.0)))
def test_a_readout_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    def fit(states, targets):
        return student.fit_readout(states, targets, case.ridge)

    inputs = case.states, case.targets
    check_layouts(fit, inputs, names=("W",))
    check_pure(fit, *inputs, names=("states", "targets"))
    check_dtype_and_device(fit, inputs, names=("W",), terms=16)

"""Public checks of reservoir.py."""

import math

import torch
from hypothesis import given

from assignments.a1_rnn.cases import expect_spectral_radius, readout_cases, reservoir_cases, run_cases
from assignments.a1_rnn.learning import MACKEY_GLASS
from autograder.checks import assert_close, assert_shape, exercise, leaf


@exercise("make_reservoir", points=4)
@given(case=reservoir_cases())
def test_the_largest_absolute_eigenvalue_is_the_spectral_radius(student, case):
    expect_spectral_radius(case.draw(student), case)


@exercise("make_reservoir", points=4)
@given(case=reservoir_cases(n=(1, 2), densities=(0.25,)))
def test_a_draw_without_an_eigenvalue_to_scale_is_drawn_again(student, case):
    expect_spectral_radius(case.draw(student), case)


@exercise("run_reservoir", points=3)
def test_two_steps_of_two_units_by_hand(student):
    x = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
    w_in = torch.tensor([[0.5], [-1.0]], dtype=torch.float64)
    w = torch.tensor([[0.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    # Unit 0 hears unit 1 of the step before; unit 1 hears the input alone.
    expected = [[math.tanh(0.5), math.tanh(-1)], [math.tanh(-1 + 2 * math.tanh(-1)), math.tanh(2)]]
    got = student.run_reservoir(x, w_in, w)
    assert_close(got, torch.tensor(expected, dtype=torch.float64), what="states", dims="time n")


@exercise("run_reservoir", points=3)
@given(case=run_cases())
def test_it_is_pytorchs_rnn_from_a_zero_state(student, case):
    assert_close(student.run_reservoir(*case.inputs), case.library, what="states", dims="time n")


@exercise("fit_readout", points=3)
def test_one_unit_by_hand(student):
    states = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    targets = torch.tensor([[3.0, 0.0], [6.0, -5.0]], dtype=torch.float64)
    # Σ s² + ridge = 10, and Σ s y is 15 and -10.
    expected = torch.tensor([[1.5], [-1.0]], dtype=torch.float64)
    assert_close(student.fit_readout(states, targets, 5.0), expected, what="W", dims="outputs n")


@exercise("fit_readout", points=3)
@given(case=readout_cases())
def test_the_slope_of_the_objective_is_zero(student, case):
    got = student.fit_readout(case.states, case.targets, case.ridge)
    got = assert_shape(got, (case.targets.shape[1], case.states.shape[1]), what="W", dims="outputs n")
    w = leaf(got)
    objective = (case.states @ w.T - case.targets).square().sum() + case.ridge * w.square().sum()
    objective.backward()
    assert_close(w.grad, torch.zeros_like(w), what="gradient of the objective at W", atol=1e-8)


@exercise("fit_readout", points=3, seconds=60)
def test_it_foretells_the_mackey_glass_series(student):
    MACKEY_GLASS.check(student)

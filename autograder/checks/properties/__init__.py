"""Laws that recur all over the course, each one function with a message made for a student.

`f` is a callable of tensors that calls the student's code. It may be remote: only first-order
gradients are taken, and arguments are made of the case alone.
"""

from autograder.checks.properties.calls import (
    check_batch_independence,
    check_deterministic_under_generator,
    check_dtype_and_device,
    check_layouts,
    check_pure,
)
from autograder.checks.properties.cost import check_cost_growth
from autograder.checks.properties.gradients import check_gradcheck, check_gradients
from autograder.checks.properties.masking import check_causal, check_ignores
from autograder.checks.properties.models import (
    check_dropout,
    check_parameter_dtypes,
    check_parameter_slopes,
)
from autograder.checks.properties.permutation import (
    check_permutation_equivariance,
    check_permutation_invariance,
)
from autograder.checks.properties.training import check_training_steps, expect_losses

__all__ = [
    "check_batch_independence",
    "check_causal",
    "check_cost_growth",
    "check_deterministic_under_generator",
    "check_dropout",
    "check_dtype_and_device",
    "check_gradcheck",
    "check_gradients",
    "check_ignores",
    "check_layouts",
    "check_parameter_dtypes",
    "check_parameter_slopes",
    "check_permutation_equivariance",
    "check_permutation_invariance",
    "check_pure",
    "check_training_steps",
    "expect_losses",
]

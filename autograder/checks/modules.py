"""What a student's nn.Module is made of."""

from collections.abc import Mapping

from torch import Tensor, nn

from autograder.checks.compare import assert_shape
from autograder.checks.failure import CheckFailure


def expect_parameters(module: nn.Module, expected: Mapping[str, Tensor]) -> None:
    """The state dict of `module` has these names and shapes, and all of them are parameters."""
    state, parameters = module.state_dict(), dict(module.named_parameters())
    for kind, names in (("state dict", state), ("set of parameters", parameters)):
        if set(names) != set(expected):
            raise CheckFailure(
                ("wrong", f"the {kind} has the wrong names"),
                ("expected", ", ".join(sorted(expected))),
                ("got", ", ".join(sorted(names)) or "none"),
            )
    for name, right in expected.items():
        assert_shape(state[name], right.shape, what=name)

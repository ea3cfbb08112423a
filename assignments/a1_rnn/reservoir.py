"""Echo state networks: a recurrent network that is never trained, and a linear readout that is, in one go."""

import torch
from jaxtyping import Float
from torch import Tensor


def make_reservoir(
    n: int, spectral_radius: float, density: float, generator: torch.Generator
) -> Float[Tensor, "n n"]:
    """Draw sparse recurrent weights, and scale them so that echoes fade neither too soon nor never.

    In a draw, `density` is the expected share of entries that are not 0; their distribution is free, and
    normal or uniform around 0 does well. The draw is scaled so that its largest absolute eigenvalue equals
    `spectral_radius` (positive). Where all its eigenvalues are 0, it is drawn again.

    The result has torch's default float dtype. All randomness comes from `generator`: the same state gives
    the same reservoir, and the global random state is left alone.
    A `density` outside (0, 1] is a ValueError that names `density` and its value.

    Trap: eigenvalues of a matrix that is not symmetric are complex; it is their absolute value that counts.
    Neither the largest entry nor a matrix norm will do.

    Source: Jaeger 2001.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def run_reservoir(
    x: Float[Tensor, "time d"], w_in: Float[Tensor, "n d"], w: Float[Tensor, "n n"]
) -> Float[Tensor, "time n"]:
    """Drive the reservoir with one sequence, and return its state after every step.

    s_t = tanh(w_in x_t + w s_{t-1}), from s_{-1} = 0. There is no batch, and no bias.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def fit_readout(
    states: Float[Tensor, "time n"], targets: Float[Tensor, "time outputs"], ridge: float
) -> Float[Tensor, "outputs n"]:
    """Find the linear readout in closed form: the W that minimises Σ_t ‖W s_t - y_t‖² + ridge ‖W‖².

    W = Yᵀ S (SᵀS + ridge I)⁻¹, with a row of S and Y for each step. No bias.

    The sum runs over steps, it is not a mean: `ridge` is not scaled by their number. It makes the solution
    unique also where there are fewer steps than states.
    The result has the dtype of `states`; it may be computed in a wider one, which pays where states resemble
    one another and `ridge` is small.
    `ridge <= 0` is a ValueError that names `ridge` and its value.

    Source: Hoerl and Kennard 1970.
    """
    # YOUR CODE HERE
    raise NotImplementedError()

"""The Mackey-Glass series, to be foretold by an echo state network: the task of `reservoir.py`.

The number of some blood cells, made anew by how many there were a while ago (Mackey and Glass 1977):

    dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x(t)

With this delay it is chaotic: it almost repeats itself, and never does. To try it out, in this folder:

    x, targets = forecasting_task()
    generator = torch.Generator().manual_seed(0)
    w = make_reservoir(SIZE, SPECTRAL_RADIUS, DENSITY, generator).double()
    states = run_reservoir(x, draw_input_weights(generator), w)
    readout = fit_readout(states[WASHOUT:TRAIN], targets[WASHOUT:TRAIN], RIDGE)
    nrmse(states[TRAIN:] @ readout.T, targets[TRAIN:])
"""

from functools import cache

import torch
from torch import Tensor

HORIZON = 10  # steps ahead; one step is easy: the series is smooth
WASHOUT = 100  # the first states still remember that they began at zero
TRAIN = 1500
TEST = 500

SIZE = 150
SPECTRAL_RADIUS = 0.95
DENSITY = 0.3
INPUT_SCALE = 0.5
RIDGE = 1e-9


@cache
def mackey_glass(steps: int, delay: float = 17.0, dt: float = 0.1, washout: int = 300) -> Tensor:
    """The series (steps,), one value for each unit of time, in float64.

    Euler's method with step `dt`, from a constant past of 1.2, after `washout` units of time in which it
    settles. The result is kept, so do not change it in place.
    """
    lag, every = round(delay / dt), round(1 / dt)
    values = [1.2] * (lag + 1)
    for _ in range((washout + steps) * every):
        now, then = values[-1], values[-1 - lag]
        values.append(now + dt * (0.2 * then / (1 + then**10) - 0.1 * now))
    return torch.tensor(values[-1 : -1 - steps * every : -every], dtype=torch.float64).flip(0)


def forecasting_task() -> tuple[Tensor, Tensor]:
    """(x (T, 2), targets (T, 1)): in goes the series, wanted is the series `HORIZON` steps later.

    The second column of x is a constant 1: it stands in for the bias that the reservoir does not have.
    """
    series = mackey_glass(TRAIN + TEST + HORIZON)
    x = torch.stack([series, torch.ones_like(series)], dim=1)
    return x[:-HORIZON], series[HORIZON:].unsqueeze(1)


def draw_input_weights(generator: torch.Generator) -> Tensor:
    """(n, 2), uniform in ± `INPUT_SCALE`; like the reservoir, they are never trained."""
    return INPUT_SCALE * (2 * torch.rand(SIZE, 2, generator=generator, dtype=torch.float64) - 1)


def nrmse(forecast: Tensor, targets: Tensor) -> float:
    """Root mean square error over the standard deviation of the targets: always to say their mean gives 1."""
    return ((forecast - targets).square().mean().sqrt() / targets.std()).item()

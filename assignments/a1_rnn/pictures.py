"""A picture of the vanishing and the exploding gradient, as your own `state_gradient_norms` measures it.

    python -m assignments.a1_rnn.pictures      # writes gradients.png into the working folder

In a notebook beside `bptt.py`: `from pictures import plot_gradient_norms`, then `plot_gradient_norms()`.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

SPECTRAL_RADII = (0.5, 0.9, 1.0, 1.1, 1.5)


def plot_gradient_norms(
    spectral_radii: tuple[float, ...] = SPECTRAL_RADII,
    input_scales: tuple[float, ...] = (0.0, 0.5),
    steps: int = 60,
    hidden_size: int = 64,
    seed: int = 0,
) -> Figure:
    """How much of the gradient at the last state is left so many steps before, on a logarithmic scale.

    One panel for each of `input_scales`, the standard deviation of the noise that drives the network. Every
    w_h is the same orthogonal matrix times a spectral radius, which is then the absolute value of all its
    eigenvalues. At rest, tanh is linear, and the norm is that radius to the power of the lag; the larger the
    states, the flatter tanh, and the more is lost. Needs `rnn_forward` and `state_gradient_norms`.
    """
    rnn_forward, state_gradient_norms = _own_functions()
    generator = torch.Generator().manual_seed(seed)
    orthogonal = torch.nn.init.orthogonal_(torch.empty(hidden_size, hidden_size), generator=generator)
    noise = torch.randn(8, steps, hidden_size, generator=generator)
    grad_last = torch.randn(8, hidden_size, generator=generator)
    h0, w_x, b = torch.zeros(8, hidden_size), torch.eye(hidden_size), torch.zeros(hidden_size)

    figure, panels = plt.subplots(
        ncols=len(input_scales), squeeze=False, sharey=True, figsize=(10, 4.5), layout="constrained"
    )
    for axes, scale in zip(panels[0], input_scales, strict=True):
        for radius in spectral_radii:
            w_h = radius * orthogonal
            with torch.no_grad():
                hs, _ = rnn_forward(scale * noise, h0, w_x, w_h, b)
                norms = state_gradient_norms(grad_last, hs, w_h).flip(0)
            axes.semilogy(norms / norms[0], label=f"spectral radius {radius:g}")
        axes.set(
            title=f"driven by noise of size {scale:g}" if scale else "at rest: no input, all states 0",
            xlabel="lag: steps before the last state",
            xlim=(0, steps - 1),
            ylim=(1e-12, 1e12),
        )
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("gradient norm, relative to lag 0")
    panels[0, 0].legend(loc="upper left")
    return figure


def _own_functions():
    """Yours, from this folder, imported by plain name as your own files import one another."""
    folder = str(Path(__file__).resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from bptt import state_gradient_norms
    from rnn import rnn_forward

    return rnn_forward, state_gradient_norms


if __name__ == "__main__":
    plot_gradient_norms().savefig("gradients.png", dpi=120)
    print("gradients.png")

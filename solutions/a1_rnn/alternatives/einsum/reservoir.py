"""Echo state networks in matrix form."""

import torch
from torch import Tensor


def make_reservoir(n: int, spectral_radius: float, density: float, generator: torch.Generator) -> Tensor:
    if not 0.0 < density <= 1.0:
        raise ValueError(f"{density=} is not in (0, 1]")
    device = generator.device
    radius = torch.zeros((), device=device)
    while radius == 0:  # a reservoir without a cycle has no eigenvalue but 0
        # exactly `count` connections; a fraction of one is drawn, so that the expectation is `density`
        count = int(density * n * n + torch.rand((), generator=generator, device=device).item())
        places = torch.randperm(n * n, generator=generator, device=device)[:count]
        flat = torch.zeros(n * n, device=device)
        flat[places] = torch.rand(count, generator=generator, device=device).mul_(2).sub_(1)
        w = flat.view(n, n)
        radius = torch.linalg.eigvals(w.double()).abs().amax()
    return w.mul_(spectral_radius / radius)


def run_reservoir(x: Tensor, w_in: Tensor, w: Tensor) -> Tensor:
    states = torch.einsum("td,nd->tn", x, w_in)
    before = states.new_zeros(states.shape[1])
    rows = []
    for drive in states:
        before = torch.einsum("m,nm->n", before, w).add(drive).tanh()
        rows.append(before)
    return torch.stack(rows)


def fit_readout(states: Tensor, targets: Tensor, ridge: float) -> Tensor:
    if not ridge > 0:
        raise ValueError(f"ridge must be > 0: {ridge=}")
    # S = U Σ Vᵀ gives W = Yᵀ U Σ / (Σ² + ridge) Vᵀ, without ever squaring S
    u, sigma, v_t = torch.linalg.svd(states.double(), full_matrices=False)
    shrink = sigma / (sigma.square() + ridge)
    return torch.einsum("to,tr,r,rn->on", targets.double(), u, shrink, v_t).to(states.dtype)

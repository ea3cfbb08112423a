"""Echo state networks, entry by entry."""

import torch


def random_matrix(n, density, generator):
    rows = []
    for _ in range(n):
        row = []
        for _ in range(n):
            connected = torch.rand((), generator=generator, device=generator.device) < density
            weight = torch.randn((), generator=generator, device=generator.device)
            row.append(weight if connected else torch.zeros_like(weight))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def make_reservoir(n, spectral_radius, density, generator):
    if n < 1:
        raise ValueError(f"n must be at least 1, got n={n}")
    if spectral_radius < 0:
        raise ValueError(f"spectral_radius must not be negative, got spectral_radius={spectral_radius}")
    if not 0 < density <= 1:
        raise ValueError(f"density must be in (0, 1], got density={density}")
    while True:
        w = random_matrix(n, density, generator)
        largest = 0.0
        for eigenvalue in torch.linalg.eigvals(w.double()).tolist():
            largest = max(largest, abs(eigenvalue))
        if largest > 0:
            return (w.double() * (spectral_radius / largest)).to(w.dtype)


def run_reservoir(x, w_in, w):
    s = torch.zeros(len(w), dtype=x.dtype, device=x.device)
    states = []
    for t in range(len(x)):
        s = torch.tanh(w_in @ x[t] + w @ s)
        states.append(s)
    return torch.stack(states)


def fit_readout(states, targets, ridge):
    if ridge <= 0:
        raise ValueError(f"ridge must be positive, got ridge={ridge}")
    n = states.shape[1]
    # (Σ s sᵀ + ridge I) Wᵀ = Σ s yᵀ
    left = ridge * torch.eye(n, dtype=torch.float64, device=states.device)
    right = torch.zeros(n, targets.shape[1], dtype=torch.float64, device=states.device)
    for s, y in zip(states.double(), targets.double(), strict=True):
        left += torch.outer(s, s)
        right += torch.outer(s, y)
    return torch.linalg.solve(left, right).T.to(states.dtype)

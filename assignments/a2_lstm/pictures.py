"""Two pictures of your own `LSTM`: how far its gradient reaches, and what its gates do.

    python -m assignments.a2_lstm.pictures      # writes lstm_gradients.png and lstm_gates.png

In a notebook beside `lstm.py`: `from pictures import plot_gates`, then `plot_gates()`.
"""

import math
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

FORGET_BIASES = (0.0, 1.0, 3.0)


def plot_gradient_norms(steps: int = 60, hidden_size: int = 64, seed: int = 0) -> Figure:
    """How much the last output depends on the input so many steps before: an RNN and your LSTM, untrained.

    The gradient is that of a random projection of the last output, its norm the mean over some sequences,
    divided by the norm at lag 0. Needs `LSTM` and `set_forget_bias`.
    """
    own = _own_module()
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, steps, 4, generator=generator)
    grad_last = torch.randn(8, hidden_size, generator=generator)
    rnn = nn.RNN(4, hidden_size, batch_first=True)
    lstm = own.LSTM(4, hidden_size)
    _draw_parameters(rnn, hidden_size, generator)
    _draw_parameters(lstm, hidden_size, generator)

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    axes.semilogy(_norms_by_lag(rnn, x, grad_last), color="black", linestyle="--", label="RNN")
    for bias in FORGET_BIASES:
        own.set_forget_bias(lstm, bias)
        label = f"LSTM, forget bias {bias:g}: f ≈ {torch.tensor(bias).sigmoid():.2f}"
        axes.semilogy(_norms_by_lag(lstm, x, grad_last), label=label)
    axes.set(
        title="How far back the gradient reaches",
        xlabel="lag: steps between the input and the last output",
        ylabel="gradient norm, relative to lag 0",
        xlim=(0, steps - 1),
        ylim=(1e-12, 3),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_gates(seed: int = 0) -> Figure:
    """The gates of your LSTM, with a single cell, after it has learned when to write, to keep and to read.

    Its input is a random value at every step, and now and then the order to write it or to read what was
    written last; the right output is that value where it is to read, and 0 everywhere else. Needs `LSTM` and
    `set_forget_bias`; training takes a few seconds.
    """
    generator = torch.Generator().manual_seed(seed)
    lstm, out = _learn_to_remember(generator)
    time = torch.arange(30)
    value = 2 * torch.rand(len(time), generator=generator) - 1
    value[[3, 16, 25]] = torch.tensor([0.8, -0.6, 0.4])
    write, read = torch.isin(time, torch.tensor([3, 16, 25])), torch.isin(time, torch.tensor([6, 13, 19, 28]))
    x = torch.stack([value, write, read], dim=1).unsqueeze(0)
    with torch.no_grad():
        h, _ = lstm(x)
        answer, gates = out(h)[0, :, 0], _gates(lstm, x, h)

    figure, (top, middle, bottom) = plt.subplots(3, sharex=True, figsize=(8, 6), layout="constrained")
    top.plot(time, value, ".", color="lightgrey", label="value")
    top.plot(time[write], value[write], "v", color="tab:red", label="write it")
    top.vlines(time[read], -1, 1, color="tab:blue", linestyle=":", label="read")
    top.set(title="A memory cell that learned its gates", ylabel="input")
    for (name, gate), colour in zip(gates.items(), ("tab:red", "tab:green", "tab:blue"), strict=True):
        middle.plot(time, gate, drawstyle="steps-mid", color=colour, label=name)
    middle.set(ylabel="gate", ylim=(-0.05, 1.05))
    bottom.plot(time, _right_answers(x)[0], "o", fillstyle="none", color="black", label="right")
    bottom.plot(time, answer, ".", color="tab:blue", label="LSTM")
    bottom.set(ylabel="output", xlabel="step", ylim=(-1.05, 1.05))
    for axes in (top, middle, bottom):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _norms_by_lag(layer: nn.Module, x: Tensor, grad_last: Tensor) -> Tensor:
    """(T,): entry k is the mean norm of the gradient at the input k steps before the last."""
    x = x.clone().requires_grad_()
    out, _ = layer(x)
    (grad,) = torch.autograd.grad(out[:, -1], x, grad_last)
    norms = grad.norm(dim=2).mean(dim=0).flip(0)
    return norms / norms[0]


def _learn_to_remember(generator: torch.Generator) -> tuple[nn.Module, nn.Linear]:
    """An LSTM of one cell, trained, and the layer that reads its output."""
    own = _own_module()
    lstm, out = own.LSTM(3, 1), nn.Linear(1, 1)
    # Gates without a preference around a cell that writes its value: with a single cell, random ones often
    # get stuck before they have learned anything.
    with torch.no_grad():
        for parameter in (*lstm.parameters(), *out.parameters()):
            parameter.zero_()
        lstm.get_parameter("weight_ih_l0")[2, 0] = 1.0
        out.weight.fill_(1.0)
    own.set_forget_bias(lstm, 1.0)

    optimizer = torch.optim.Adam([*lstm.parameters(), *out.parameters()], lr=0.05)
    for _ in range(400):
        value = 2 * torch.rand(32, 20, generator=generator) - 1
        order = torch.rand(32, 20, generator=generator)
        x = torch.stack([value, order < 0.15, order > 0.8], dim=2)
        loss = F.mse_loss(out(lstm(x)[0]).squeeze(2), _right_answers(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lstm, out


def _right_answers(x: Tensor) -> Tensor:
    """(B, T) for x (B, T, 3), whose columns are a value, the order to write it, the order to read."""
    memory, answers = torch.zeros(len(x)), []
    for value, write, read in (step.unbind(1) for step in x.unbind(1)):
        memory = torch.where(write == 1, value, memory)
        answers.append(read * memory)
    return torch.stack(answers, dim=1)


def _gates(lstm: nn.Module, x: Tensor, h: Tensor) -> dict[str, Tensor]:
    """The gates of a one-layer LSTM at every step of x (1, T, D); h (1, T, 1) are its outputs."""
    parameters = dict(lstm.named_parameters())
    before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1)
    from_x = F.linear(x, parameters["weight_ih_l0"], parameters["bias_ih_l0"])
    from_h = F.linear(before, parameters["weight_hh_l0"], parameters["bias_hh_l0"])
    i, f, _, o = torch.sigmoid(from_x + from_h)[0].unbind(1)
    return {"write (i)": i, "keep (f)": f, "read (o)": o}


def _draw_parameters(module: nn.Module, hidden_size: int, generator: torch.Generator) -> None:
    """Torch's initial values, drawn by name: the same picture whatever the order of parameters."""
    bound = 1 / math.sqrt(hidden_size)
    with torch.no_grad():
        for _, parameter in sorted(module.named_parameters()):
            parameter.uniform_(-bound, bound, generator=generator)


def _own_module() -> ModuleType:
    """Your `lstm.py`, imported by plain name as your own files import one another."""
    folder = str(Path(__file__).resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import lstm

    return lstm


if __name__ == "__main__":
    for name, plot in (("lstm_gradients.png", plot_gradient_norms), ("lstm_gates.png", plot_gates)):
        plot().savefig(name, dpi=120)
        print(name)

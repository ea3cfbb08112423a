"""Cases for the checks of this unit: what a check is run on, drawn by Hypothesis.

The last functions say what several checks expect of a module's parameters and of a reservoir.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_shape,
    fill_parameters,
    generator,
    gradients,
    leaves,
    poison_where,
)
from autograder.checks.strategies import MAX_SIZE, dimensions, lengths, seeds, sizes, tensors, token_ids

# Weights and inputs of this size leave tanh neither linear nor flat: every factor of a gradient shows.
SCALE = 0.5
# No class, PyTorch's own sign for "ignore", and ids far outside any vocabulary.
NO_TARGETS = (-1, -100, 2**40, -(2**40))


def torch_rnn(
    x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """PyTorch's own RNN with these weights: `(hs, h_last)`, of packed sequences where there are lengths."""
    rnn = nn.RNN(x.shape[2], h0.shape[1], batch_first=True, device="meta", dtype=x.dtype)
    weights = {"weight_ih_l0": w_x, "weight_hh_l0": w_h, "bias_ih_l0": b, "bias_hh_l0": torch.zeros_like(b)}
    if lengths is None:
        hs, h_last = functional_call(rnn, weights, (x, h0[None]))
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, h_last = functional_call(rnn, weights, (packed, h0[None]))
        hs, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return hs, h_last[0]


def real_steps(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Which steps of `x (batch, time, …)` are real, (batch, time)."""
    if lengths is None:
        return torch.ones(x.shape[:2], dtype=torch.bool)
    return torch.arange(x.shape[1]) < lengths[:, None]


@dataclass(frozen=True, eq=False)
class StepCase:
    x: Tensor
    h: Tensor
    w_x: Tensor
    w_h: Tensor
    b: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.x, self.h, self.w_x, self.w_h, self.b


@st.composite
def step_cases(draw: DrawFn) -> StepCase:
    batch, size, hidden = draw(dimensions(3))
    shapes = (batch, size), (batch, hidden), (hidden, size), (hidden, hidden), (hidden,)
    return StepCase(*(draw(tensors(shape, scale=SCALE)) for shape in shapes))


@dataclass(frozen=True, eq=False)
class RNNCase:
    x: Tensor
    h0: Tensor
    w_x: Tensor
    w_h: Tensor
    b: Tensor
    lengths: Tensor | None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.x, self.h0, self.w_x, self.w_h, self.b

    @cached_property
    def real(self) -> Tensor:
        return real_steps(self.x, self.lengths)

    @cached_property
    def poisoned_x(self) -> Tensor:
        """x with NaN, inf, -inf and 1e18 on its padding."""
        return poison_where(~self.real, self.x)[0]

    @cached_property
    def library(self) -> tuple[Tensor, Tensor]:
        """`(hs, h_last)` by PyTorch."""
        return torch_rnn(*self.inputs, self.lengths)

    @cached_property
    def library_gradients(self) -> tuple[Tensor, ...]:
        """By x, h0, w_x, w_h and b, with the cotangents of `weights_like`, by PyTorch."""
        inputs = leaves(self.inputs)
        return gradients(torch_rnn(*inputs, self.lengths), inputs)


@st.composite
def rnn_cases(draw: DrawFn, with_lengths: bool = False, max_steps: int = MAX_SIZE) -> RNNCase:
    batch, steps, size, hidden = draw(dimensions(4))
    if max_steps > MAX_SIZE:
        steps = draw(sizes(max_steps))
    shapes = (batch, steps, size), (batch, hidden), (hidden, size), (hidden, hidden), (hidden,)
    inputs = [draw(tensors(shape, scale=SCALE)) for shape in shapes]
    return RNNCase(*inputs, lengths=draw(lengths(batch, steps)) if with_lengths else None)


@dataclass(frozen=True, eq=False)
class RNNModuleCase(RNNCase):
    """The h0 of the case is the state that is passed, where one is."""

    learned: Tensor | None
    """The learned initial state `(hidden,)`."""
    passes_h0: bool

    @property
    def passed(self) -> Tensor | None:
        return self.h0 if self.passes_h0 else None

    @property
    def state(self) -> dict[str, Tensor]:
        """The module's whole state dict."""
        state = {"w_x": self.w_x, "w_h": self.w_h, "b": self.b}
        return state if self.learned is None else {**state, "h0": self.learned}

    def make(self, student: Any) -> nn.Module:
        hidden, size = self.w_x.shape
        return student.RNN(size, hidden, learn_initial_state=self.learned is not None)

    def module(self, student: Any) -> nn.Module:
        """The student's module with these weights, in float64."""
        module = self.make(student).double()
        module.load_state_dict(self.state)
        return module

    @cached_property
    def library(self) -> tuple[Tensor, Tensor]:
        return module_by_torch(self.state, self.x, self.passed, self.lengths)


def module_by_torch(
    state: Mapping[str, Tensor], x: Tensor, h0: Tensor | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`(hs, h_last)` of a module with this state dict, by PyTorch."""
    if h0 is None:
        h0 = state.get("h0", torch.zeros_like(state["b"])).expand(len(x), -1)
    return torch_rnn(x, h0, state["w_x"], state["w_h"], state["b"], lengths)


@st.composite
def rnn_module_cases(
    draw: DrawFn,
    learned: bool | None = None,
    passes_h0: bool | None = None,
    with_lengths: bool | None = None,
) -> RNNModuleCase:
    """What is not told is drawn."""

    def told_or_drawn(told: bool | None) -> bool:
        return draw(st.booleans()) if told is None else told

    case = draw(rnn_cases(with_lengths=told_or_drawn(with_lengths)))
    initial = draw(tensors(case.b.shape, scale=SCALE)) if told_or_drawn(learned) else None
    return RNNModuleCase(*case.inputs, case.lengths, initial, told_or_drawn(passes_h0))


@dataclass(frozen=True, eq=False)
class BackwardCase(RNNCase):
    """What goes into a backward pass: a forward pass, and the gradient that enters at each of its outputs."""

    grad_hs: Tensor
    at: int
    """One of the steps."""
    k: int

    @property
    def beside_the_point(self) -> tuple[str, ...]:
        return ("lengths",)

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """Those of rnn_backward."""
        return self.grad_hs, self.x, self.hs, self.h0, self.w_x, self.w_h

    @property
    def hs(self) -> Tensor:
        return self.library[0]

    @property
    def grad_last(self) -> Tensor:
        """What enters at the last step."""
        return self.grad_hs[:, -1]

    @property
    def steps(self) -> int:
        return self.grad_hs.shape[1]

    @cached_property
    def full(self) -> tuple[Tensor, ...]:
        """The gradients by x, h0, w_x, w_h and b, by autograd through PyTorch's RNN."""
        inputs = leaves(self.inputs)
        return gradients(torch_rnn(*inputs)[0], inputs, [self.grad_hs])

    @cached_property
    def entering_at_one_step(self) -> Tensor:
        """grad_hs at step `at`, and zeros elsewhere."""
        here = torch.arange(self.steps) == self.at
        return self.grad_hs * here[:, None]

    @cached_property
    def from_one_step(self) -> tuple[Tensor, ...]:
        """The gradients that enter at step `at` alone and go back `k` steps: PyTorch's RNN on those steps."""
        first = max(0, self.at - self.k + 1)
        inputs = x, h0, *weights = leaves(self.inputs)
        start = h0 if first == 0 else self.hs[:, first - 1]
        _, state = torch_rnn(x[:, first : self.at + 1], start, *weights)
        return gradients(state, inputs, [self.grad_hs[:, self.at]])


@st.composite
def backward_cases(draw: DrawFn, max_steps: int = 5) -> BackwardCase:
    case = draw(rnn_cases(max_steps=max_steps))
    steps = case.x.shape[1]
    grad_hs = draw(tensors((*case.x.shape[:2], len(case.b))))
    at, k = draw(st.integers(0, steps - 1)), draw(st.integers(1, steps + 1))
    return BackwardCase(*case.inputs, None, grad_hs, at, k)


@dataclass(frozen=True, eq=False)
class ClipCase:
    grads: tuple[Tensor, ...]
    share: float
    """max_norm as a share of the norm, never near 1."""

    @cached_property
    def norm(self) -> Tensor:
        return torch.cat([grad.flatten() for grad in self.grads]).norm()

    @cached_property
    def max_norm(self) -> float:
        norm = float(self.norm)
        return self.share * norm if norm > 0 else self.share


@st.composite
def clip_cases(draw: DrawFn, shares: tuple[float, ...] = (0.1, 0.5, 0.9, 1.1, 10.0)) -> ClipCase:
    """One to four gradients of any rank, the scalar's included, from tiny to large."""
    shapes = draw(st.lists(st.lists(sizes(4), max_size=3), min_size=1, max_size=4))
    scale = draw(st.sampled_from((1.0, 1e-4, 1e3)))
    return ClipCase(
        tuple(draw(tensors(shape, scale=scale)) for shape in shapes), draw(st.sampled_from(shares))
    )


@dataclass(frozen=True, eq=False)
class WiringCase:
    """A module whose parameters are free in name, and its input."""

    x: Tensor
    hidden_size: int
    n_classes: int
    lengths: Tensor | None
    seed: int = field(repr=False)
    """Of the weights."""
    at: int
    """One of the steps."""

    def module(self, make: Callable[[int, int, int], nn.Module]) -> nn.Module:
        """The student's module with weights from the seed, in float64."""
        module = make(self.x.shape[2], self.hidden_size, self.n_classes).double()
        fill_parameters(module, self.seed, scale=SCALE)
        return module

    @cached_property
    def real(self) -> Tensor:
        return real_steps(self.x, self.lengths)


@st.composite
def wiring_cases(draw: DrawFn, with_lengths: bool = False, lively: bool = False) -> WiringCase:
    """`lively` ones have two steps and classes, four rows, five hidden units at least, so that some react."""
    batch, steps, size, n_classes = draw(dimensions(4))
    hidden = draw(sizes(5))
    if lively:
        batch, steps, hidden, n_classes = batch + 3, steps + 1, hidden + 4, n_classes + 1
    x = draw(tensors((batch, steps, size), scale=SCALE))
    real = draw(lengths(batch, steps)) if with_lengths else None
    at = draw(st.integers(0, steps - 1))
    return WiringCase(x, hidden, n_classes, real, 1 + draw(seeds()), at)


@dataclass(frozen=True, eq=False)
class OutputRecurrentCase:
    x: Tensor
    targets: Tensor
    w_x: Tensor
    w_y: Tensor
    b: Tensor
    v: Tensor
    c: Tensor
    at: int
    """One of the steps."""

    @property
    def state(self) -> dict[str, Tensor]:
        """The module's whole state dict."""
        return {name: getattr(self, name) for name in ("w_x", "w_y", "b", "v", "c")}

    def make(self, student: Any) -> nn.Module:
        hidden, size = self.w_x.shape
        return student.OutputRecurrentRNN(size, hidden, len(self.c))

    def module(self, student: Any) -> nn.Module:
        """The student's module with these weights, in float64."""
        module = self.make(student).double()
        module.load_state_dict(self.state)
        return module


@st.composite
def output_recurrent_cases(draw: DrawFn) -> OutputRecurrentCase:
    batch, steps, size, hidden, out = draw(dimensions(5))
    data = (batch, steps, size), (batch, steps, out)
    weights = (hidden, size), (hidden, out), (hidden,), (out, hidden), (out,)
    inputs = [draw(tensors(shape, scale=SCALE)) for shape in (*data, *weights)]
    return OutputRecurrentCase(*inputs, at=draw(st.integers(0, steps - 1)))


@dataclass(frozen=True, eq=False)
class CrossEntropyCase:
    logits: Tensor
    targets: Tensor
    lengths: Tensor | None

    @cached_property
    def real(self) -> Tensor:
        return real_steps(self.targets, self.lengths)

    @cached_property
    def garbage(self) -> tuple[Tensor, Tensor]:
        """Logits and targets that hold on padding what is neither a logit nor a class."""
        padding = ~self.real
        targets = self.targets.clone()
        turn = torch.arange(int(padding.sum())) % len(NO_TARGETS)
        targets[padding] = torch.tensor(NO_TARGETS)[turn]
        return poison_where(padding, self.logits)[0], targets

    def library(self, logits: Tensor) -> Tensor:
        """PyTorch's cross-entropy of the real tokens, with `logits` in place of the case's."""
        return F.cross_entropy(logits[self.real], self.targets[self.real])


@st.composite
def cross_entropy_cases(draw: DrawFn, with_lengths: bool = False) -> CrossEntropyCase:
    batch, steps, classes = draw(dimensions(3))
    logits, targets = draw(tensors((batch, steps, classes))), draw(token_ids((batch, steps), classes))
    return CrossEntropyCase(logits, targets, draw(lengths(batch, steps)) if with_lengths else None)


@st.composite
def token_batches(draw: DrawFn, min_steps: int = 2) -> Tensor:
    return draw(token_ids((draw(sizes(4)), draw(sizes(6, min=min_steps))), vocab=50))


@dataclass(frozen=True, eq=False)
class ReservoirCase:
    n: int
    spectral_radius: float
    density: float
    seed: int

    def draw(self, student: Any) -> Any:
        return student.make_reservoir(self.n, self.spectral_radius, self.density, generator(self.seed))


@st.composite
def reservoir_cases(
    draw: DrawFn, n: tuple[int, int] = (2, 12), densities: tuple[float, ...] = (0.4, 0.7, 1.0)
) -> ReservoirCase:
    """As a rule the first draw is fine; with few units and a low density it seldom is."""
    radius = draw(st.sampled_from((0.5, 0.9, 1.25, 3.0)))
    return ReservoirCase(draw(st.integers(*n)), radius, draw(st.sampled_from(densities)), draw(seeds()))


@dataclass(frozen=True, eq=False)
class RunCase:
    x: Tensor
    w_in: Tensor
    w: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.x, self.w_in, self.w

    @cached_property
    def library(self) -> Tensor:
        """The states by PyTorch's RNN, which has a bias more."""
        n = len(self.w)
        return torch_rnn(self.x[None], self.x.new_zeros(1, n), self.w_in, self.w, self.x.new_zeros(n))[0][0]


@st.composite
def run_cases(draw: DrawFn, max_steps: int = 5) -> RunCase:
    steps, (size, n) = draw(sizes(max_steps)), draw(dimensions(2))
    return RunCase(*(draw(tensors(shape, scale=SCALE)) for shape in ((steps, size), (n, size), (n, n))))


@dataclass(frozen=True, eq=False)
class ReadoutCase:
    states: Tensor
    targets: Tensor
    ridge: float


@st.composite
def readout_cases(draw: DrawFn, ridges: tuple[float, ...] = (0.01, 0.5, 3.0, 100.0)) -> ReadoutCase:
    """Fewer steps than units, too, which no readout could do without the ridge."""
    steps, (n, out) = draw(sizes(8)), draw(dimensions(2))
    return ReadoutCase(draw(tensors((steps, n))), draw(tensors((steps, out))), draw(st.sampled_from(ridges)))


def expect_spectral_radius(w: Any, case: ReservoirCase) -> None:
    """`w` is finite, of the default float dtype, and its largest absolute eigenvalue is the case's radius.

    In float32, eigenvalues that nearly coincide are only known to some √eps = 3e-4, hence the tolerance. What
    is not the spectral radius (the largest singular value, real part or entry) is off by far more.
    """
    w = assert_like(w, torch.empty(case.n, case.n), what="w", dims="n n").detach()
    finite = w.nan_to_num()
    assert_close(w, finite, what="w", because="no entry is NaN or infinite")
    radius = torch.linalg.eigvals(finite.double()).abs().max()
    expected = torch.tensor(case.spectral_radius, dtype=torch.float64)
    assert_close(radius, expected, what="largest absolute eigenvalue of w", rtol=5e-3, atol=0.0)

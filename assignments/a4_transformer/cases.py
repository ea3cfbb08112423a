"""Cases for the checks of layers.py and blocks.py: what a check is run on, drawn by Hypothesis.

The names of a block's parameters are free, and so is how they are fused: its queries, keys and values may
come from one matrix, from three, or from three a head. `BlockCase.pin` sets them all the same, by role.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import CheckFailure, expect_no_nan, fill_parameters, generator, gradients, note
from autograder.checks.strategies import dimensions, masks, permutations, seeds, sizes, tensor_from, tensors

# Pinned blocks are given values of this size, and their norms weights of it, so that the epsilon of a norm,
# whatever it is, is lost among their rounding errors.
LARGE: Final = 1e4
# A finite value that no mask may let through.
HUGE: Final = 1e4
NEGLIGIBLE: Final = 1e-9

# (n_heads, d_model): one head, several, and heads of one feature; under three features a norm has no slope.
HEADS: Final = ((1, 3), (2, 4), (2, 6), (3, 6), (1, 4), (4, 4), (3, 3))
SEVERAL: Final = ((2, 4), (2, 6), (3, 6), (4, 4), (3, 3))
# With six, no token varies so little by chance that bfloat16 cannot tell.
WIDE: Final = ((1, 6), (2, 6), (3, 6), (6, 6))


@dataclass(frozen=True, eq=False)
class NormCase:
    x: Tensor
    weight: Tensor
    bias: Tensor
    eps: float | None
    """None is the default."""

    def make(self, student: Any) -> nn.Module:
        size = len(self.weight)
        return student.LayerNorm(size) if self.eps is None else student.LayerNorm(size, eps=self.eps)

    def module(self, student: Any) -> nn.Module:
        """The student's LayerNorm with this weight and bias, in float64."""
        module = self.make(student).double()
        module.load_state_dict({"weight": self.weight, "bias": self.bias})
        return module


@st.composite
def norm_cases(draw: DrawFn, whole: bool = False) -> NormCase:
    """Up to three dimensions, of which the first is the batch; epsilon shows where it is large, or x small.

    `whole` ones hold small whole numbers, whose differences are exact in any dtype.
    """
    shape = draw(dimensions(draw(st.integers(1, 3))))
    if whole:
        x = tensor_from(1 + draw(seeds()), shape, normal=False)
    else:
        x = draw(tensors(shape, scale=draw(st.sampled_from((0.01, 1.0, 100.0)))))
    weight, bias = draw(tensors(shape[-1:])), draw(tensors(shape[-1:]))
    return NormCase(x, weight, bias, draw(st.sampled_from((None, 1e-3, 0.5))))


@dataclass(frozen=True, eq=False)
class FeedForwardCase:
    x: Tensor
    d_ff: int
    dropout: float
    """In `train()` it is 0."""
    seed: int = field(repr=False)
    """Of the weights."""

    @property
    def d_model(self) -> int:
        return self.x.shape[-1]

    def module(self, student: Any) -> nn.Module:
        """The student's FeedForward with weights from the seed, in float64."""
        module = student.FeedForward(self.d_model, self.d_ff, dropout=self.dropout).double()
        fill_parameters(module, self.seed, scale=0.7)
        return module.train(self.dropout == 0)

    def parameters(self, module: nn.Module) -> dict[str, nn.Parameter]:
        """`w_1`, `w_2` and the biases that there are, told by their shapes."""
        shapes = {
            "w_1": (self.d_ff, self.d_model),
            "b_1": (self.d_ff,),
            "w_2": (self.d_model, self.d_ff),
            "b_2": (self.d_model,),
        }
        by_shape = {matrix_shape(p): p for p in module.parameters()}
        found = {name: by_shape[shape] for name, shape in shapes.items() if shape in by_shape}
        if missing := [name for name in ("w_1", "w_2") if name not in found]:
            raise CheckFailure(
                ("wrong", f"no parameter has the shape of {missing[0]}"),
                ("expected", str(shapes[missing[0]])),
                ("got", ", ".join(str(tuple(p.shape)) for p in by_shape.values()) or "no parameters"),
                because="weights are (out, in)",
            )
        return found


def matrix_shape(p: Tensor) -> tuple[int, ...]:
    """The shape of `p`; a convolution of kernel size 1 is a matrix too, of shape (out, in, 1)."""
    return tuple(p.shape[:2]) if p.ndim > 2 and p.shape[2:].numel() == 1 else tuple(p.shape)


@st.composite
def feed_forward_cases(draw: DrawFn, dropout: float | None = None, min_batch: int = 1) -> FeedForwardCase:
    """Inputs (batch, time, d_model); d_ff is never d_model, by which the weights are told apart."""
    batch, steps, d_model = draw(sizes(3, min=min_batch)), draw(sizes(4)), draw(sizes(4))
    d_ff = d_model + draw(st.integers(1, 4))
    rate = draw(st.sampled_from((0.0, 0.4))) if dropout is None else dropout
    return FeedForwardCase(draw(tensors((batch, steps, d_model))), d_ff, rate, 1 + draw(seeds()))


@dataclass(frozen=True)
class PinnedWeights:
    """What a pinned block computes with, the same in each of its layers.

    All rows of a layer's query and key projections are `look`, all rows of its value projection `value`, and
    all columns of its output projection `out`. So every head has the same queries, keys and values, whichever
    rows it owns, and no two ways to fuse or to split projections differ; what heads do still differs by
    their masks. Biases are 0 but for the feed-forward network's first, where there is one.
    """

    look: Tensor
    value: Tensor
    out: Tensor
    norm: Tensor
    w_1: Tensor
    b_1: Tensor
    w_2: Tensor


@dataclass(frozen=True)
class Parts:
    """The parameters of a block or stack, by their shapes as far as these tell.

    A vector is a norm's weight if that is its name or if it starts at ones; the name of a bias of more
    than one dimension (a row a projection, or a head) begins with a b or has "bias" in it.
    """

    norms: list[nn.Parameter]
    attention: list[nn.Parameter]
    w_1: list[nn.Parameter]
    b_1: list[nn.Parameter]
    w_2: list[nn.Parameter]
    biases: list[nn.Parameter]


@dataclass(frozen=True, eq=False)
class BlockCase:
    """A block or a stack of them, and what goes in."""

    name: str
    n_layers: int
    """Of a stack; 1 for a block."""
    d_model: int
    n_heads: int
    d_ff: int
    dropout: float
    """In `train()` it is 0."""
    norm_first: bool
    seed: int = field(repr=False)
    """Of the weights."""
    x: Tensor
    memory: Tensor
    """For decoders."""
    mask: Tensor | None
    memory_mask: Tensor | None
    by_name: bool
    """Whether arguments are passed by their names."""
    perm: Tensor
    """An order of the steps of x."""
    at: int
    """One of the steps of x."""

    @property
    def beside_the_point(self) -> tuple[str, ...]:
        """The fields that tell nothing of this module: what only stacks or decoders have."""
        of_stacks = () if self.is_stack else ("n_layers",)
        of_decoders = () if self.decodes else ("memory", "memory_mask")
        return ("name", *of_stacks, *of_decoders)

    @property
    def is_stack(self) -> bool:
        return self.name in ("Encoder", "Decoder")

    @property
    def decodes(self) -> bool:
        return self.name.startswith("Decoder")

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (self.x, self.memory) if self.decodes else (self.x,)

    @property
    def input_names(self) -> tuple[str, ...]:
        return ("x", "memory")[: len(self.inputs)]

    @property
    def masks(self) -> tuple[Tensor | None, ...]:
        """A mask an input."""
        return (self.mask, self.memory_mask)[: len(self.inputs)]

    @property
    def norms_a_layer(self) -> int:
        """A norm a sub-layer."""
        return 3 if self.decodes else 2

    @property
    def has_last_norm(self) -> bool:
        return self.is_stack and self.norm_first

    def make(self, student: Any) -> nn.Module:
        """The student's module, as it starts, in float64."""
        layers = (self.n_layers,) if self.is_stack else ()
        sizes = (self.d_model, self.n_heads, self.d_ff)
        cls = getattr(student, self.name)
        if self.by_name:
            module = cls(*layers, *sizes, dropout=self.dropout, norm_first=self.norm_first)
        elif self.norm_first:
            module = cls(*layers, *sizes, self.dropout)  # it is the default
        else:
            module = cls(*layers, *sizes, self.dropout, self.norm_first)
        return module.double().train(self.dropout == 0)

    def module(self, student: Any) -> nn.Module:
        """The student's module with weights from the seed, in float64."""
        module = self.make(student)
        fill_parameters(module, self.seed, scale=0.5)
        return module

    def calm_module(self, student: Any) -> nn.Module:
        """With small weights, and norms as they start: it can be told from rounding errors in any dtype."""
        module = self.make(student)
        norms = self.parts(module).norms
        fill_parameters(module, self.seed, scale=0.3)
        with torch.no_grad():
            for p in norms:
                p.fill_(1.0)
        return module

    def run(self, module: nn.Module, *inputs: Tensor) -> Any:
        """What the module gives for these inputs, or for those of the case, with its masks."""
        given = self.masks if any(mask is not None for mask in self.masks) else ()
        if not self.by_name:
            return module(*(inputs or self.inputs), *given)
        names = ("self_mask", "memory_mask") if self.decodes else ("mask",)
        return module(*(inputs or self.inputs), **dict(zip(names, given, strict=False)))

    @cached_property
    def weights(self) -> PinnedWeights:
        draw = generator(self.seed)

        def normal(*shape: int, scale: float = 1.0) -> Tensor:
            return scale * torch.randn(shape, generator=draw, dtype=torch.float64)

        size, inner = self.d_model, self.d_ff
        return PinnedWeights(
            look=normal(size, scale=1 / (LARGE * size**0.5)),
            value=normal(size, scale=1 / size**0.5),
            out=normal(size, scale=1 / size),
            norm=LARGE * (1 + 0.5 * normal(size).tanh()),
            w_1=normal(inner, size, scale=1 / (LARGE * size**0.5)),
            b_1=normal(inner),
            w_2=normal(size, inner, scale=LARGE / inner**0.5),
        )

    def parts(self, module: nn.Module) -> Parts:
        """The parameters of `module` as it starts: nothing has been put into them yet."""
        parts = Parts([], [], [], [], [], [])
        for name, p in module.named_parameters():
            shape, leaf = matrix_shape(p), name.rpartition(".")[2]
            if p.numel() == self.d_model and ((p.ndim == 1 and leaf == "weight") or bool((p == 1).all())):
                parts.norms.append(p)
            elif shape == (self.d_ff,):
                parts.b_1.append(p)
            elif p.ndim < 2 or leaf.startswith("b") or "bias" in name:
                parts.biases.append(p)
            elif shape == (self.d_ff, self.d_model):
                parts.w_1.append(p)
            elif shape == (self.d_model, self.d_ff):
                parts.w_2.append(p)
            else:
                parts.attention.append(p)
        return parts

    def clear(self, parts: Parts) -> None:
        """All weights and biases become 0; norms are left with the weight of the case."""
        with torch.no_grad():
            for p in (*parts.attention, *parts.w_1, *parts.b_1, *parts.w_2, *parts.biases):
                p.zero_()
            for p in parts.norms:
                p.copy_(self.weights.norm)

    def cleared(self, student: Any) -> nn.Module:
        """The student's module with zeros in place of all that is not a norm's weight."""
        module = self.make(student)
        self.clear(self.parts(module))
        return module

    def pinned(self, student: Any) -> tuple[nn.Module, bool]:
        """The student's module with the weights of the case, and whether it has the bias `b_1`.

        A role is read off what goes into a matrix: with a single token, the gradient of each of its rows is a
        multiple of that vector. Queries and keys have none, since there is one key to attend to. Values come
        from a normalised token: the entries sum to 0. What else there is comes from the values: the output
        projection, whose rows are those of the result, in order.
        """
        module = self.make(student)
        parts = self.parts(module)
        self.clear(parts)
        draw = generator(self.seed)
        with torch.no_grad():
            for p in (*parts.attention, *parts.w_1, *parts.w_2):
                p.copy_(torch.randn(p.shape, generator=draw, dtype=torch.float64) / p.shape[-1] ** 0.5)
            for p in parts.norms:
                p.fill_(1.0)
        tokens = torch.randn(len(self.inputs), 1, 1, self.d_model, generator=draw, dtype=torch.float64)
        result = module(*(tokens - tokens.mean(-1, keepdim=True)))
        grads = [g.flatten(0, -2) for g in gradients(result, parts.attention)]
        largest = max((float(g.norm(dim=1).max()) for g in grads), default=0.0)
        self.clear(parts)
        weights, out_rows = self.weights, 0
        with torch.no_grad():
            for p, grad in zip(parts.attention, grads, strict=True):
                rows = []
                for row in grad:
                    if row.norm() <= NEGLIGIBLE * largest:
                        rows.append(weights.look)
                    elif row.sum().abs() <= NEGLIGIBLE * row.norm():
                        rows.append(weights.value)
                    else:
                        rows.append(weights.out[out_rows % self.d_model].expand(len(row)))
                        out_rows += 1
                if all(len(row) == p.shape[-1] for row in rows):
                    p.copy_(torch.stack(rows).reshape(p.shape))
            for p, value in [
                *((p, weights.w_1) for p in parts.w_1),
                *((p, weights.b_1) for p in parts.b_1),
                *((p, weights.w_2) for p in parts.w_2),
            ]:
                p.copy_(value.view_as(p))
        return module, bool(parts.b_1)


def block_cases(name: str, **options: Any) -> st.SearchStrategy[BlockCase]:
    """Cases of EncoderBlock or DecoderBlock."""
    return _cases(name, n_layers=1, **options)


def stack_cases(name: str, n_layers: int | None = None, **options: Any) -> st.SearchStrategy[BlockCase]:
    """Cases of Encoder or Decoder, of one to three layers."""
    return _cases(name, n_layers=n_layers, **options)


@st.composite
def _cases(
    draw: DrawFn,
    name: str,
    n_layers: int | None,
    mask: str | None = None,
    memory_mask: str | None = None,
    dropout: float | None = 0.0,
    min_steps: int = 1,
    scale: float = 1.0,
    lively: bool = False,
    heads: Sequence[tuple[int, int]] = HEADS,
) -> BlockCase:
    """Masks are None, "causal", "padding", or "any" form that broadcasts; a query always keeps something.

    "some" is None or causal, for memory None or padding. One that differs by head is the likeliest of any.

    With `dropout` None it is 0, or some in `eval()`. In `lively` cases no two tokens are alike.
    """
    n_heads, d_model = draw(st.sampled_from(heads))
    # Not a multiple of d_model, so that no fused projection has a size of the feed-forward network.
    d_ff = draw(st.sampled_from((d_model + 1, 2 * d_model + 1)))
    batch, steps, memory_steps = draw(sizes(3)), draw(sizes(4, min=min_steps)), draw(sizes(4, min=min_steps))
    shapes = ((batch, steps, d_model), (batch, memory_steps, d_model))
    x, memory = (
        tensor_from(1 + draw(seeds()), shape, scale=scale) if lively else draw(tensors(shape, scale=scale))
        for shape in shapes
    )

    def mask_of(kind: str | None, keys: int, some: str) -> Tensor | None:
        if kind == "some":
            kind = draw(st.sampled_from((None, some)))
        if kind is None:
            return None
        if kind == "causal":
            return torch.ones(steps, keys, dtype=torch.bool).tril()
        forms = [(batch, 1, 1, keys)]
        if kind == "any":
            by_head = (batch, n_heads, steps, keys)
            forms += [by_head, (steps, keys), (1, 1, steps, keys), by_head, (batch, 1, steps, keys)]
            forms += [by_head, (n_heads, 1, keys)]
        return draw(masks(draw(st.sampled_from(forms)), at_least_one=-1))

    return BlockCase(
        name=name,
        n_layers=draw(sizes(3)) if n_layers is None else n_layers,
        d_model=d_model,
        n_heads=n_heads,
        d_ff=d_ff,
        dropout=draw(st.sampled_from((0.0, 0.4))) if dropout is None else dropout,
        norm_first=draw(st.booleans()),
        seed=1 + draw(seeds()),
        x=x,
        memory=memory,
        mask=mask_of(mask, steps, some="causal"),
        memory_mask=mask_of(memory_mask, memory_steps, some="padding"),
        by_name=draw(st.booleans()),
        perm=draw(permutations(steps)),
        at=draw(st.integers(1 if steps > 1 else 0, steps - 1)),
    )

"""Cases for the checks of this unit: what a check is run on, drawn by Hypothesis.

The last functions say what several checks expect of a decoder and of a training run.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import CheckFailure, expect_outputs, fill_parameters, generator, note
from autograder.checks.describe import ITEMS
from autograder.checks.strategies import (
    dimensions,
    lengths,
    masks,
    permutations,
    seeds,
    sizes,
    tensor_from,
    tensors,
    token_ids,
)


@dataclass(frozen=True, eq=False)
class PaddingCase:
    lengths: Tensor
    max_len: int


@st.composite
def padding_cases(draw: DrawFn) -> PaddingCase:
    batch, longest = draw(dimensions(2))
    return PaddingCase(draw(lengths(batch, longest)), longest + draw(st.integers(0, 2)))


@dataclass(frozen=True, eq=False)
class SoftmaxCase:
    scores: Tensor
    mask: Tensor
    dim: int

    @cached_property
    def keep(self) -> Tensor:
        """The mask in the shape of the scores."""
        return self.mask.expand(self.scores.shape)


@st.composite
def softmax_cases(draw: DrawFn, at_least_one: bool = False, scale: float = 1.0) -> SoftmaxCase:
    """Scores of one to three dimensions, with a mask of their shape, which may be an expanded one."""
    shape = draw(dimensions(draw(st.integers(1, 3)), max=4))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    mask_shape = list(shape)
    if len(shape) > 1 and draw(st.booleans()):
        mask_shape[draw(st.integers(0, len(shape) - 1))] = 1
    broadcast_along_dim = mask_shape[dim] == 1
    mask = draw(masks(mask_shape, at_least_one=dim if at_least_one and not broadcast_along_dim else None))
    if at_least_one and broadcast_along_dim:
        mask = torch.ones_like(mask)
    return SoftmaxCase(draw(tensors(shape, scale=scale)), mask.expand(shape), dim)


@dataclass(frozen=True, eq=False)
class AttentionCase:
    q: Tensor
    k: Tensor
    v: Tensor
    mask: Tensor | None
    perm: Tensor
    """An order of the keys."""
    at: int
    """One of the queries."""

    @cached_property
    def keep(self) -> Tensor:
        """The mask in the shape of the weights."""
        shape = (*self.q.shape[:-1], self.k.shape[-2])
        return torch.ones(shape, dtype=torch.bool) if self.mask is None else self.mask.expand(shape)

    @cached_property
    def lonely(self) -> Tensor:
        """The queries that may attend to nothing."""
        return ~self.keep.any(-1)

    @cached_property
    def library(self) -> tuple[Tensor, Tensor]:
        """Output and weights by PyTorch's own function (the weights are what identity values give)."""
        eye = torch.eye(self.k.shape[-2], dtype=self.k.dtype).expand(*self.k.shape[:-1], -1)
        output, weights = (
            F.scaled_dot_product_attention(self.q, self.k, v, attn_mask=self.mask).masked_fill(
                self.lonely.unsqueeze(-1), 0.0
            )
            for v in (self.v, eye)
        )
        return output, weights


@st.composite
def attention_cases(draw: DrawFn, with_mask: bool = False, max_batch_dims: int = 2) -> AttentionCase:
    """Queries, keys and values with up to two batch dimensions; a mask in every form that broadcasts."""
    queries, keys, d, d_v = draw(dimensions(4))
    batch = tuple(draw(st.lists(sizes(3), max_size=max_batch_dims)))
    q, k, v = (draw(tensors((*batch, *shape))) for shape in ((queries, d), (keys, d), (keys, d_v)))
    mask = None
    if with_mask:
        forms = [(*batch, queries, keys), (queries, keys), (*batch, 1, keys), (*batch, queries, 1), (keys,)]
        mask = draw(masks(draw(st.sampled_from(forms))))
    return AttentionCase(q, k, v, mask, draw(permutations(keys)), draw(st.integers(0, queries - 1)))


@dataclass(frozen=True, eq=False)
class AdditiveCase:
    query: Tensor
    keys: Tensor
    w_q: Tensor
    w_k: Tensor
    v: Tensor
    mask: Tensor | None
    perm: Tensor
    """An order of the keys."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.query, self.keys, self.w_q, self.w_k, self.v


@st.composite
def additive_cases(draw: DrawFn, with_mask: bool = False) -> AdditiveCase:
    batch, steps, query_size, key_size, size = draw(dimensions(5))
    shapes = (batch, query_size), (batch, steps, key_size), (size, query_size), (size, key_size), (size,)
    query, keys, w_q, w_k, v = (draw(tensors(shape)) for shape in shapes)
    mask = None
    if with_mask:
        mask = draw(masks((batch, steps)))
    return AdditiveCase(query, keys, w_q, w_k, v, mask, draw(permutations(steps)))


@dataclass(frozen=True, eq=False)
class LuongCase:
    query: Tensor
    keys: Tensor
    kind: str
    w: Tensor | None
    v: Tensor | None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What has a gradient, in the order of the arguments."""
        return tuple(x for x in (self.query, self.keys, self.w, self.v) if x is not None)

    @property
    def names(self) -> tuple[str, ...]:
        return ("query", "keys", "w", "v")[: len(self.inputs)]


@st.composite
def luong_cases(draw: DrawFn, kinds: tuple[str, ...] = ("dot", "general", "concat")) -> LuongCase:
    kind = draw(st.sampled_from(kinds))
    batch, steps, query_size, key_size, size = draw(dimensions(5))
    if kind == "dot":
        query_size = key_size
    query, keys = draw(tensors((batch, query_size))), draw(tensors((batch, steps, key_size)))
    w = v = None
    if kind == "general":
        w = draw(tensors((query_size, key_size)))
    if kind == "concat":
        w, v = draw(tensors((size, query_size + key_size))), draw(tensors((size,)))
    return LuongCase(query, keys, kind, w, v)


@dataclass(frozen=True, eq=False)
class LocalCase:
    query: Tensor
    keys: Tensor
    centre: Tensor
    window: float
    mask: Tensor | None

    @cached_property
    def keep(self) -> Tensor:
        """Which keys lie in the window and are not masked out, (batch, keys)."""
        position = torch.arange(self.keys.shape[1])
        near = (position - self.centre.double()[:, None]).abs() <= self.window
        return near if self.mask is None else near & self.mask


@st.composite
def local_cases(draw: DrawFn, with_mask: bool = False, float_centre: bool = False) -> LocalCase:
    """Centres and windows in quarters and halves, so that a key on the edge of the window is exactly there.

    A centre may lie between two keys or outside the sequence.
    """
    batch, d = draw(dimensions(2))
    steps = draw(sizes(7))
    quarters = draw(st.lists(st.integers(-6, 4 * steps + 6), min_size=batch, max_size=batch))
    centre = torch.tensor(quarters, dtype=torch.float64) / 4
    if not float_centre and draw(st.booleans()):
        centre = centre.round().long()
    window = draw(st.integers(1, 8)) / 2
    mask = draw(masks((batch, steps))) if with_mask else None
    return LocalCase(draw(tensors((batch, d))), draw(tensors((batch, steps, d))), centre, window, mask)


@dataclass(frozen=True, eq=False)
class HardCase:
    weights: Tensor
    values: Tensor
    seed: int


@st.composite
def hard_cases(draw: DrawFn, max_batch: int = 4, one_hot: bool = False) -> HardCase:
    """Rows of probabilities, some of them 0, that sum to 1; no two values are the same."""
    batch, keys, d = draw(sizes(max_batch)), draw(sizes(5)), draw(sizes(3))
    kept = draw(masks((batch, keys), at_least_one=1))
    if one_hot:
        kept = F.one_hot(kept.int().argmax(1), keys).bool()
    weights = tensor_from(draw(seeds()), (batch, keys)).masked_fill(~kept, -torch.inf).softmax(1)
    values = torch.arange(batch * keys * d, dtype=torch.float64).reshape(batch, keys, d) - 3
    return HardCase(weights, values, draw(seeds()))


@dataclass(frozen=True, eq=False)
class MultiHeadCase:
    d_model: int
    n_heads: int
    bias: bool
    seed: int = field(repr=False)
    """Of the weights."""
    query: Tensor
    key: Tensor | None
    value: Tensor | None
    mask: Tensor | None
    perm: Tensor
    """An order of the queries."""
    at: int
    """One of the queries."""

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """The module's whole state dict."""
        draw, size = generator(self.seed), self.d_model
        shapes: dict[str, tuple[int, ...]] = {}
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"{name}.weight"] = (size, size)
            if self.bias:
                shapes[f"{name}.bias"] = (size,)
        return {
            name: torch.randn(shape, generator=draw, dtype=torch.float64) / size**0.5
            for name, shape in shapes.items()
        }

    def module(self, student: Any) -> nn.Module:
        """The student's module with these weights, in float64."""
        module = student.MultiHeadAttention(self.d_model, self.n_heads, bias=self.bias).double()
        module.load_state_dict(self.state)
        return module

    @property
    def source(self) -> Tensor:
        """What the keys are made of."""
        return self.query if self.key is None else self.key

    @cached_property
    def keep(self) -> Tensor:
        """The mask in the shape of the weights."""
        shape = (self.query.shape[0], self.n_heads, self.query.shape[1], self.source.shape[1])
        return torch.ones(shape, dtype=torch.bool) if self.mask is None else self.mask.expand(shape)


@st.composite
def multihead_cases(
    draw: DrawFn, cross: bool = False, with_mask: bool = False, bias: bool | None = None
) -> MultiHeadCase:
    """Self-attention, or with `cross` every way to give key and value; every form of mask."""
    n_heads, d_head = draw(dimensions(2, max=3))
    batch, queries, keys = draw(dimensions(3, max=4))
    size = n_heads * d_head
    query = draw(tensors((batch, queries, size)))
    key = value = None
    if cross and draw(st.booleans()):
        key = draw(tensors((batch, keys, size)))
        value = draw(tensors((batch, keys, size))) if draw(st.booleans()) else None
    elif cross:
        keys, value = queries, draw(tensors((batch, queries, size)))
    else:
        keys = queries
    mask = None
    if with_mask:
        forms = [(batch, 1, 1, keys), (queries, keys), (batch, n_heads, queries, keys), (n_heads, 1, keys)]
        mask = draw(masks(draw(st.sampled_from(forms))))
    has_bias = draw(st.booleans()) if bias is None else bias
    perm, at = draw(permutations(queries)), draw(st.integers(0, queries - 1))
    return MultiHeadCase(size, n_heads, has_bias, draw(seeds()), query, key, value, mask, perm, at)


@dataclass(frozen=True, eq=False)
class LearnedPositionsCase:
    max_len: int
    x: Tensor
    seed: int = field(repr=False)
    """Of the weights."""

    def module(self, student: Any) -> nn.Module:
        """The student's module with weights from the seed, in float64."""
        module = student.LearnedPositions(self.max_len, self.x.shape[2]).double()
        fill_parameters(module, self.seed)
        return module


@st.composite
def learned_positions_cases(draw: DrawFn, full: bool = False) -> LearnedPositionsCase:
    batch, steps, size = draw(dimensions(3))
    max_len = steps if full else steps + draw(st.integers(0, 2))
    return LearnedPositionsCase(max_len, draw(tensors((batch, steps, size))), 1 + draw(seeds()))


@dataclass(frozen=True, eq=False)
class Seq2SeqCase:
    """A small model and some batches for it, the first of which most checks look at."""

    src_vocab: int
    tgt_vocab: int
    embed_size: int
    hidden_size: int
    pad: int
    bos: int
    eos: int
    seed: int = field(repr=False)
    """Of the weights."""
    batches: tuple[tuple[Tensor, Tensor, Tensor], ...] = field(
        metadata={ITEMS: ("src", "src_lengths", "tgt")}
    )
    """Each (src, src_lengths, tgt), tgt from bos to eos and then padded."""
    at: int
    """A step of the target that is fed to the first batch."""

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """The arguments of Seq2Seq."""
        return self.src_vocab, self.tgt_vocab, self.embed_size, self.hidden_size, self.pad

    def model(self, student: Any, biases: float = 1.0) -> nn.Module:
        """The student's model with weights from the seed, in float64; vectors are scaled by `biases`."""
        model = student.Seq2Seq(*self.sizes).double()
        fill_parameters(model, self.seed, vectors=biases)
        return model

    @property
    def src(self) -> Tensor:
        return self.batches[0][0]

    @property
    def src_lengths(self) -> Tensor:
        return self.batches[0][1]

    @property
    def tgt_in(self) -> Tensor:
        return self.batches[0][2][:, :-1]

    @cached_property
    def real(self) -> Tensor:
        """Which source positions are real, (batch, src_time)."""
        return torch.arange(self.src.shape[1]) < self.src_lengths[:, None]


@st.composite
def seq2seq_cases(draw: DrawFn, n_batches: int = 1, lively: bool = False) -> Seq2SeqCase:
    """Small vocabularies and sizes, padded rows, and a pad that need not be 0.

    `lively` ones are larger and have two rows at least, since a tiny random decoder soon repeats itself.
    """
    if lively:
        src_vocab = tgt_vocab = embed_size = hidden_size = 8
    else:
        src_vocab, tgt_vocab = draw(st.integers(4, 7)), draw(st.integers(4, 7))
        embed_size, hidden_size = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    pad = draw(st.integers(0, 3))
    bos, eos = (pad + 1) % tgt_vocab, (pad + 2) % tgt_vocab
    batches = []
    for _ in range(n_batches):
        batch = draw(sizes(3, min=2 if lively else 1))
        src_steps, tgt_steps = draw(sizes(5)), draw(st.integers(2, 5))
        src_lengths = draw(lengths(batch, src_steps))
        # Every id but pad may be a word of the source, and every one but pad, bos and eos of the target.
        src = (pad + 1 + draw(token_ids((batch, src_steps), src_vocab - 1))) % src_vocab
        src[torch.arange(src_steps) >= src_lengths[:, None]] = pad
        words = (pad + draw(token_ids((batch, tgt_steps), tgt_vocab, min=3))) % tgt_vocab
        end = draw(lengths(batch, tgt_steps - 1))[:, None]
        step = torch.arange(tgt_steps)
        tgt = words.where(step < end, pad).where(step != end, eos).where(step > 0, bos)
        batches.append((src, src_lengths, tgt))
    at = draw(st.integers(0, batches[0][2].shape[1] - 2))
    seed = 1 + draw(seeds())
    return Seq2SeqCase(src_vocab, tgt_vocab, embed_size, hidden_size, pad, bos, eos, seed, tuple(batches), at)


def expect_id_lists(decoded: Any, rows: int, eos: int, max_len: int) -> None:
    """`decoded` is one list of at most `max_len` ints a row, without eos.

    Its ids are noted as what was computed, an empty row as some id of its own.
    """
    if (
        not isinstance(decoded, list)
        or len(decoded) != rows
        or not all(isinstance(ids, list) for ids in decoded)
    ):
        raise CheckFailure(
            ("expected", f"a list of {rows} lists of ids, one a row"), ("got", repr(decoded)[:200])
        )
    for row, ids in enumerate(decoded):
        if not all(type(i) is int for i in ids):
            raise CheckFailure(("expected", "ids as ints"), ("got", f"row {row}: {ids!r}"[:200]))
        if eos in ids:
            raise CheckFailure(
                ("expected", f"ids up to and without the first eos ({eos})"), ("got", f"row {row}: {ids}")
            )
        if len(ids) > max_len:
            raise CheckFailure(
                ("expected", f"at most max_len = {max_len} ids"), ("got", f"row {row}: {len(ids)} ids, {ids}")
            )
        note(ids or -1, "every id (minus one where a row is empty)")


def expect_greedy(model: nn.Module, case: Seq2SeqCase, decoded: Any, eos: int, max_len: int) -> None:
    """Every decoded token is the one that `model`, fed what comes before it, gives the largest logit."""
    expect_id_lists(decoded, len(case.src), eos, max_len)
    tgt_in = torch.tensor([[case.bos, *ids, *[case.pad] * (max_len - len(ids))] for ids in decoded])
    logits, _ = expect_outputs(model(case.src, case.src_lengths, tgt_in), ("logits", "weights"))
    for row, (ids, best) in enumerate(zip(decoded, logits.argmax(2).tolist(), strict=True)):
        expected = [*ids, eos][:max_len]
        if best[: len(expected)] != expected:
            step = next(t for t, (a, b) in enumerate(zip(best, expected, strict=False)) if a != b)
            got = "the end, as if eos had come" if step == len(ids) else str(ids[step])
            before = [case.bos, *ids[:step]]
            raise CheckFailure(
                ("wrong", f"row {row} does not follow the model at step {step}"),
                ("expected", f"{best[step]}, where forward has its largest logit after {before}"),
                ("got", f"{got}, in {ids}"),
                because=f"the most likely token is fed back; eos is {eos}, max_len {max_len}",
            )

"""Cases for the checks of this unit: what a check is run on, drawn by Hypothesis.

The last functions say what several checks expect of a state dict, a training run and a generated text.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import (
    CheckFailure,
    assert_like,
    assert_shape,
    assert_unchanged,
    expect_tuple,
    fill_parameters,
    generator,
    note,
    poison_where,
)
from autograder.checks.describe import ITEMS
from autograder.checks.strategies import dimensions, lengths, masks, seeds, sizes, tensors, token_ids

# Weights and inputs of this size leave gates neither linear nor flat: every factor of a gradient shows.
SCALE = 0.5
# Their alphabetical order is everybody's: no capitals, accents or signs.
WORDS = ("a", "b", "c", "ab", "ba", "cab", "d", "dad", "<pad>", "<unk>")


@dataclass(frozen=True, eq=False)
class MemoryCase:
    x: Tensor
    c: Tensor
    write: Tensor
    keep: Tensor
    read: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.x, self.c, self.write, self.keep, self.read


@st.composite
def memory_cases(draw: DrawFn, open_or_shut: bool = False) -> MemoryCase:
    """Cells of one to three dimensions, with gates of every shape that broadcasts; or gates of 0 and 1."""
    shape = draw(dimensions(draw(st.integers(1, 3)), max=4))
    forms = [shape, (*shape[:-1], 1), (1, *shape[1:]), shape[-1:], ()]

    def gate() -> Tensor:
        form = draw(st.sampled_from(forms))
        return draw(masks(form)).double() if open_or_shut else draw(tensors(form))

    return MemoryCase(draw(tensors(shape)), draw(tensors(shape)), gate(), gate(), gate())


@dataclass(frozen=True, eq=False)
class StepCase:
    x: Tensor
    h: Tensor
    c: Tensor
    w_x: Tensor
    w_h: Tensor
    b: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.x, self.h, self.c, self.w_x, self.w_h, self.b


@st.composite
def step_cases(draw: DrawFn) -> StepCase:
    return StepCase(*(draw(tensors(shape, scale=SCALE)) for shape in draw(_step_shapes())))


@dataclass(frozen=True, eq=False)
class BackwardCase(StepCase):
    grad_h: Tensor
    grad_c: Tensor

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """Those of lstm_step_backward."""
        return self.grad_h, self.grad_c, *self.inputs


@st.composite
def backward_cases(draw: DrawFn) -> BackwardCase:
    shapes = draw(_step_shapes())
    grads = [draw(tensors(shapes[1])) for _ in range(2)]
    return BackwardCase(*(draw(tensors(shape, scale=SCALE)) for shape in shapes), *grads)


@st.composite
def _step_shapes(draw: DrawFn) -> list[tuple[int, ...]]:
    """Of x, h, c, w_x, w_h and b."""
    batch, size, hidden = draw(dimensions(3))
    state = batch, hidden
    return [(batch, size), state, state, (4 * hidden, size), (4 * hidden, hidden), (4 * hidden,)]


@dataclass(frozen=True, eq=False)
class LSTMCase:
    x: Tensor
    h_0: Tensor
    c_0: Tensor
    num_layers: int
    bidirectional: bool
    passes_state: bool
    lengths: Tensor | None
    seed: int = field(repr=False)
    """Of the weights."""
    at: int
    """One of the steps."""

    @property
    def hidden_size(self) -> int:
        return self.h_0.shape[2]

    @property
    def sizes(self) -> tuple[int, int, int, bool]:
        """The arguments of LSTM."""
        return self.x.shape[2], self.hidden_size, self.num_layers, self.bidirectional

    @property
    def state(self) -> tuple[Tensor, Tensor] | None:
        return (self.h_0, self.c_0) if self.passes_state else None

    @cached_property
    def real(self) -> Tensor:
        """Which steps are real, (batch, time)."""
        if self.lengths is None:
            return torch.ones(self.x.shape[:2], dtype=torch.bool)
        return torch.arange(self.x.shape[1]) < self.lengths[:, None]

    @cached_property
    def poisoned_x(self) -> Tensor:
        """x with NaN, inf, -inf and 1e18 on its padding."""
        return poison_where(~self.real, self.x)[0]

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The module's whole state dict."""
        draw, hidden = generator(self.seed), self.hidden_size
        directions = ("", "_reverse") if self.bidirectional else ("",)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            size = hidden * len(directions) if layer else self.x.shape[2]
            for end in (f"_l{layer}{direction}" for direction in directions):
                shapes[f"weight_ih{end}"], shapes[f"weight_hh{end}"] = (
                    (4 * hidden, size),
                    (4 * hidden, hidden),
                )
                shapes[f"bias_ih{end}"] = shapes[f"bias_hh{end}"] = (4 * hidden,)
        return {
            name: SCALE * torch.randn(shape, generator=draw, dtype=torch.float64)
            for name, shape in shapes.items()
        }

    def make(self, student: Any) -> nn.Module:
        input_size, hidden_size, num_layers, bidirectional = self.sizes
        return student.LSTM(input_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional)

    def module(self, student: Any) -> nn.Module:
        """The student's LSTM with these weights, in float64."""
        module = self.make(student).double()
        module.load_state_dict(self.weights)
        return module


@st.composite
def lstm_cases(
    draw: DrawFn,
    with_lengths: bool = False,
    bidirectional: bool | None = None,
    passes_state: bool | None = None,
    max_steps: int = 5,
) -> LSTMCase:
    """One to three layers; what is not told is drawn. With lengths, no row need be as long as the batch."""
    # Sizes above 4: up to there, four gates cut into five parts are still the four.
    batch, size, hidden = draw(dimensions(3, max=6))
    steps, num_layers = draw(sizes(max_steps)), draw(sizes(3))
    both = draw(st.booleans()) if bidirectional is None else bidirectional
    passes = draw(st.booleans()) if passes_state is None else passes_state
    rows = num_layers * (2 if both else 1)
    x, h_0, c_0 = (draw(tensors(s)) for s in ((batch, steps, size), *[(rows, batch, hidden)] * 2))
    real = draw(lengths(batch, steps)) if with_lengths else None
    at = draw(st.integers(0, steps - 1))
    return LSTMCase(x, h_0, c_0, num_layers, both, passes, real, draw(seeds()), at)


@dataclass(frozen=True, eq=False)
class LastCase:
    out: Tensor
    lengths: Tensor

    @cached_property
    def real(self) -> Tensor:
        return torch.arange(self.out.shape[1]) < self.lengths[:, None]

    @cached_property
    def not_last(self) -> Tensor:
        """Every step, (batch, time), but each row's last real one."""
        return torch.arange(self.out.shape[1]) != self.lengths[:, None] - 1


@st.composite
def last_cases(draw: DrawFn) -> LastCase:
    batch, steps, hidden = draw(dimensions(3))
    return LastCase(draw(tensors((batch, steps, hidden))), draw(lengths(batch, steps)))


@dataclass(frozen=True, eq=False)
class VocabCase:
    words: tuple[tuple[str, ...], ...]
    min_count: int

    @property
    def texts(self) -> list[list[str]]:
        """A copy that a student's function may do with as it likes."""
        return [list(text) for text in self.words]


@st.composite
def vocab_cases(draw: DrawFn, words: tuple[str, ...] = WORDS) -> VocabCase:
    """Few words, so that many occur equally often; some texts are empty, and there may be none."""
    text = st.lists(st.sampled_from(words), max_size=8).map(tuple)
    return VocabCase(tuple(draw(st.lists(text, max_size=5))), draw(sizes(4)))


@dataclass(frozen=True, eq=False)
class CollateCase:
    ids: tuple[tuple[int, ...], ...]
    pad: int

    @property
    def sequences(self) -> list[list[int]]:
        """A copy that a student's function may do with as it likes."""
        return [list(sequence) for sequence in self.ids]


@st.composite
def collate_cases(draw: DrawFn) -> CollateCase:
    """Ids may be any, that of the padding included."""
    sequence = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(tuple)
    ids = draw(st.lists(sequence, min_size=1, max_size=5))
    return CollateCase(tuple(ids), draw(st.sampled_from((0, 3, 2**31))))


@dataclass(frozen=True, eq=False)
class ClassifierCase:
    """A small classifier and batches for it, the first of which most checks look at."""

    vocab_size: int
    embed_size: int
    hidden_size: int
    n_classes: int
    pad: int
    seed: int = field(repr=False)
    """Of the weights."""
    batches: tuple[tuple[Tensor, Tensor, Tensor], ...] = field(
        metadata={ITEMS: ("tokens", "lengths", "labels")}
    )
    """Each (tokens, lengths, labels); tokens are padded."""
    at: int
    """One of the steps of the first batch."""

    @property
    def tokens(self) -> Tensor:
        return self.batches[0][0]

    @property
    def lengths(self) -> Tensor:
        return self.batches[0][1]

    @cached_property
    def real(self) -> Tensor:
        """Which tokens are real, (batch, time)."""
        return torch.arange(self.tokens.shape[1]) < self.lengths[:, None]

    def model(self, student: Any, scale: float = SCALE) -> nn.Module:
        """The student's SentimentClassifier with weights from the seed, in float64."""
        model = student.SentimentClassifier(
            self.vocab_size, self.embed_size, self.hidden_size, self.n_classes, pad=self.pad
        ).double()
        fill_parameters(model, self.seed, scale)
        return model


@st.composite
def classifier_cases(draw: DrawFn, n_batches: int = 1) -> ClassifierCase:
    """Any id may be a real token, that of the padding included, which need not be 0."""
    vocab_size, embed_size = draw(st.integers(3, 7)), draw(st.integers(2, 4))
    hidden_size, n_classes = draw(st.integers(4, 6)), draw(st.integers(2, 4))
    pad = draw(st.integers(0, vocab_size - 1))
    batches = []
    for _ in range(n_batches):
        batch, steps = draw(sizes(4)), draw(sizes(6))
        real = draw(lengths(batch, steps))
        tokens = draw(token_ids((batch, steps), vocab_size))
        tokens[torch.arange(steps) >= real[:, None]] = pad
        batches.append((tokens, real, draw(token_ids((batch,), n_classes))))
    at = draw(st.integers(0, batches[0][0].shape[1] - 1))
    seed = 1 + draw(seeds())
    return ClassifierCase(vocab_size, embed_size, hidden_size, n_classes, pad, seed, tuple(batches), at)


@dataclass(frozen=True, eq=False)
class CharCase:
    """A small language model and a batch for it."""

    vocab_size: int
    embed_size: int
    hidden_size: int
    seed: int = field(repr=False)
    """Of the weights."""
    tokens: Tensor
    at: int
    """One of the steps."""

    def model(self, student: Any, scale: float = SCALE) -> nn.Module:
        """The student's CharLM with weights from the seed, in float64."""
        model = student.CharLM(self.vocab_size, self.embed_size, self.hidden_size).double()
        fill_parameters(model, self.seed, scale)
        return model

    def expect_logits(self, result: Any, steps: int) -> tuple[Tensor, Any]:
        """`result` of `steps` steps as (logits, state); the logits are noted."""
        logits, state = expect_tuple(result, 2, ("logits", "state"))
        like = torch.empty(len(self.tokens), steps, self.vocab_size, dtype=torch.float64)
        logits = assert_like(logits, like, what="logits", dims="batch time vocab_size")
        note(logits, "logits")
        return logits, state


@st.composite
def char_cases(draw: DrawFn, min_steps: int = 1) -> CharCase:
    vocab_size, embed_size = draw(st.integers(3, 7)), draw(st.integers(2, 4))
    batch, steps, hidden_size = draw(sizes(3)), draw(sizes(6, min=min_steps)), draw(st.integers(4, 6))
    tokens, at = draw(token_ids((batch, steps), vocab_size)), draw(st.integers(0, steps - 1))
    return CharCase(vocab_size, embed_size, hidden_size, 1 + draw(seeds()), tokens, at)


@dataclass(frozen=True, eq=False)
class WritingCase(CharCase):
    """Has one row: the prompt."""

    length: int
    temperature: float
    draws: int
    """The seed of the generator."""

    # With weights of this size, the likeliest character has a half of the probability, more or less.
    LIVELY = 2.0

    @property
    def prompt(self) -> Tensor:
        return self.tokens[0]

    def write(self, student: Any, model: nn.Module, **changed: Any) -> Any:
        """What `generate` returns; `changed` arguments go before those of the case."""
        names = "prompt", "length", "temperature"
        arguments = [changed.get(name, getattr(self, name)) for name in names]
        return student.generate(model, *arguments, changed.get("generator", generator(self.draws)))

    def expect_text(self, text: Any, length: int) -> Tensor:
        """`text` is the prompt and `length` ids of the vocabulary; these are noted."""
        like = self.prompt.new_empty(len(self.prompt) + length)
        text = assert_like(text, like, what="text", dims="time+length")
        assert_unchanged(
            text[: len(self.prompt)],
            self.prompt,
            changed="nothing: the text begins with the prompt",
            what="prompt in the text",
            computed=False,
        )
        written = text[len(self.prompt) :]
        if ((written < 0) | (written >= self.vocab_size)).any():
            raise CheckFailure(
                ("expected", f"ids from 0 to {self.vocab_size - 1}"), ("got", str(written.tolist())[:200])
            )
        note(written, "the continuation")
        return text


@st.composite
def writing_cases(
    draw: DrawFn, length: int | None = None, temperatures: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
) -> WritingCase:
    vocab_size, steps = draw(st.integers(4, 7)), draw(sizes(4))
    prompt = draw(token_ids((1, steps), vocab_size))
    length = draw(st.integers(1, 8)) if length is None else length
    temperature = draw(st.sampled_from(temperatures))
    return WritingCase(vocab_size, 3, 5, 1 + draw(seeds()), prompt, 0, length, temperature, draw(seeds()))


def expect_vocab(got: Any, expected: Mapping[str, int]) -> None:
    """`got` is the dict `expected`, with ids that are ints; its order is free."""
    if not isinstance(got, dict) or not all(type(number) is int for number in got.values()):
        raise CheckFailure(("expected", "a dict from tokens to ints"), ("got", repr(got)[:200]))
    note(list(got.values()), "every id")
    if got != expected:
        by_id = sorted(got.items(), key=lambda item: item[1])
        raise CheckFailure(("expected", str(dict(expected))), ("got", str(dict(by_id))[:400]))

"""What this unit's models are to learn: to copy and to reverse, to write dates, to foretell characters."""

import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignments.a2_lstm import corpus
from assignments.a3_attention import dates
from autograder.checks import LearningTask, assert_shape, beside


class Start(NamedTuple):
    """Standard deviations of the values that weights start from, and the number that they are drawn by."""

    matrices: float
    tokens: float  # of embeddings
    positions: float
    seed: int


def draw_weights(model: nn.Module, start: Start, vocabs: Collection[int], max_len: int) -> None:
    """Draws the model's weights anew: what is judged is what a model can learn, not how it was set up.

    Initial values are free, and how far so small a model comes in so few steps hangs on them more than on
    anything else: where embeddings are large beside the positions, it learns next to nothing. A table is
    known by its number of rows. Norms and biases stay as they are.
    """
    stds = dict.fromkeys(vocabs, start.tokens) | {max_len: start.positions}
    generator = torch.Generator().manual_seed(start.seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and parameter.requires_grad:
                std = stds.get(parameter.shape[-2], start.matrices)
                parameter.copy_(std * torch.randn(parameter.shape, generator=generator))


def best(attempts: Iterable[float], enough: float) -> float:
    """The first of `attempts` that is enough, or the greatest.

    No start fits all that the page leaves open (embeddings times √d_model or not, sinusoids or not, pre-norm
    or post-norm, tied weights or not): a sound model gets there from one of two, a broken one from none.
    """
    reached = -math.inf
    for attempt in attempts:
        reached = max(reached, attempt)
        if reached >= enough:
            break
    return reached


def rehearse(
    model: nn.Module, vocab: int, examples: Sequence[tuple[tuple[Tensor, ...], Tensor]], lr: float
) -> None:
    """A step of Adam for each of `examples`: (what `model` is called with, targets of its last tokens).

    The learning rate rises for a tenth of the steps and falls to zero over the second half. This loop is not
    the student's: a broken `train_lm` costs its own exercise only.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.98))
    model.train()
    for step, (inputs, targets) in enumerate(examples):
        share = step / len(examples)
        optimizer.param_groups[0]["lr"] = lr * min(1.0, 10 * share + 0.1, 2 - 2 * share)
        logits = next_logits(model, vocab, *inputs)[:, -targets.shape[1] :]
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, max_norm=1.0)
        optimizer.step()
    model.eval()


def next_logits(model: Any, vocab: int, *inputs: Tensor) -> Tensor:
    """What `model` says of the token after each of the last of `inputs`."""
    return assert_shape(model(*inputs), (*inputs[-1].shape, vocab), what="logits", dims="batch time vocab")


def go_on(model: Any, vocab: int, tokens: Tensor, count: int, source: Sequence[Tensor] = ()) -> Tensor:
    """`tokens` and `count` more, each the most likely one after those before it (and `source`, if any).

    There is nothing to see yet for a model that peeks at what follows.
    """
    with torch.no_grad():
        for _ in range(count):
            logits = next_logits(model, vocab, *source, tokens)
            tokens = torch.cat([tokens, logits[:, -1:].argmax(dim=-1)], dim=1)
    return tokens


def share_equal(rows: Tensor, others: Tensor) -> float:
    return (rows == others).all(dim=1).double().mean().item()


# A row is four symbols, then COPY or REVERSE, then the four again, as they stood or the other way round.
COPY, REVERSE, SYMBOLS = 0, 1, 10
SPAN = 4
ECHO_BATCH_SIZE = 64
ECHO_STEPS = 200
ECHO_LR = 0.007
ECHO_ENOUGH = 0.75  # a model that can only copy, or only reverse, gets half of the rows
ECHO_STARTS = [Start(0.14, 0.07, 0.2, seed=0), Start(0.14, 0.07, 0.2, seed=1)]


def share_of_echoes(student: Any, sample: int = 0) -> float:
    """Trains a GPT to copy or reverse as it is told; the share of 500 new rows that it then gets right."""
    return best((echoes_from(student, start, sample) for start in ECHO_STARTS), ECHO_ENOUGH)


def echoes_from(student: Any, start: Start, sample: int) -> float:
    vocab, length = 2 + SYMBOLS, 2 * SPAN + 1
    # Six heads of 8 features: a matrix a head is not taken for a table of as many words or positions.
    model = student.GPT(vocab, d_model=48, n_heads=6, d_ff=96, n_layers=2, max_len=length)
    draw_weights(model, start._replace(seed=2 * sample + start.seed), [vocab], length)
    generator = torch.Generator().manual_seed(sample)
    batches = [echo_rows(ECHO_BATCH_SIZE, generator) for _ in range(ECHO_STEPS)]
    rehearse(model, vocab, [((rows[:, :-1],), rows[:, -SPAN:]) for rows in batches], ECHO_LR)
    rows = echo_rows(500, generator)
    return share_equal(go_on(model, vocab, rows[:, :-SPAN], SPAN), rows)


def echo_rows(count: int, generator: torch.Generator) -> Tensor:
    """(count, 2 SPAN + 1), half of them copied and half reversed, on average."""
    symbols = torch.randint(2, 2 + SYMBOLS, (count, SPAN), generator=generator)
    told = torch.randint(2, (count, 1), generator=generator)
    return torch.cat([symbols, told, torch.where(told == COPY, symbols, symbols.flip(1))], dim=1)


DATE_STEPS = 240
DATE_LR = 0.007
DATE_MAX_LEN = 20
DATE_ENOUGH = 0.5
DATE_STARTS = [Start(0.07, 0.2, 0.4, seed=0), Start(0.14, 0.07, 0.2, seed=1)]


def share_of_dates(student: Any, sample: int = 0) -> float:
    """Trains a Transformer on a3's dates; the share of its 500 test dates that are written exactly right."""
    return best((dates_from(student, start, sample) for start in DATE_STARTS), DATE_ENOUGH)


def dates_from(student: Any, start: Start, sample: int) -> float:
    vocabs = dates.SRC_VOCAB, dates.TGT_VOCAB
    sizes = {"d_model": 48, "n_heads": 6, "d_ff": 96, "n_layers": 1, "max_len": DATE_MAX_LEN}
    model = student.Transformer(*vocabs, **sizes, pad=dates.PAD)
    draw_weights(model, start._replace(seed=2 * sample + start.seed), vocabs, DATE_MAX_LEN)
    batches = itertools.islice(itertools.cycle(dates.date_batches("train")), DATE_STEPS)
    examples = [((src, tgt[:, :-1]), tgt[:, 1:]) for src, _, tgt in batches]  # no target is padded
    rehearse(model, dates.TGT_VOCAB, examples, DATE_LR)
    ((src, _, tgt),) = dates.date_batches("test", batch_size=500)
    return share_equal(go_on(model, dates.TGT_VOCAB, tgt[:, :1], tgt.shape[1] - 1, [src]), tgt)


CHARACTER_BATCH_SIZE = 32
CHARACTER_LENGTH = 32  # of a row, and so the most that a model can be called with
CHARACTER_STEPS = 160
CHARACTER_LR = 0.01
WINDOWS = 1024


def character_bits(student: Any, sample: int = 0) -> float:
    """Trains a GPT on a2's corpus by the student's `train_lm`; bits per character of the test chapters.

    Only the last character of a window is asked for: a model that peeks at what follows knows the others.
    """
    vocab = len(corpus.CHARACTERS)
    sizes = {"d_model": 48, "n_heads": 4, "d_ff": 96, "n_layers": 2, "max_len": CHARACTER_LENGTH}
    model = beside(student, "models").GPT(vocab, **sizes)
    draw_weights(model, Start(0.14, 0.14, 0.14, sample), [vocab], CHARACTER_LENGTH)
    batches = corpus.char_batches("train", CHARACTER_BATCH_SIZE, CHARACTER_LENGTH - 1)
    student.train_lm(model, batches[:CHARACTER_STEPS], CHARACTER_LR, CHARACTER_STEPS)
    windows = torch.cat(corpus.char_batches("test", 512, CHARACTER_LENGTH - 1))[:WINDOWS]
    with torch.no_grad():
        logits = next_logits(model.eval(), vocab, windows[:, :-1])
    return corpus.bits_per_character(logits[:, -1], windows[:, -1])


ECHO = LearningTask(
    name="echo",
    exercise="GPT",
    module="models",
    measure="share of 500 rows of symbols that are copied or reversed without a mistake",
    required=ECHO_ENOUGH,
    learn=share_of_echoes,
    sweep=share_of_echoes,
)
DATES = LearningTask(
    name="dates",
    exercise="Transformer",
    module="models",
    measure="share of 500 test dates written exactly right",
    required=DATE_ENOUGH,
    learn=share_of_dates,
    sweep=share_of_dates,
)
CHARACTERS = LearningTask(
    name="characters",
    exercise="train_lm",
    module="training",
    measure="bits per character on test chapters",
    required=3.6,
    learn=character_bits,
    lower_is_better=True,
    sweep=character_bits,
)
TASKS = (ECHO, DATES, CHARACTERS)

"""Cases for the checks of decoding.py: distributions to draw from, and languages to decode.

In a sampling case it is known by construction which tokens are kept. A language is a table of the next
token's log-probabilities after every prefix, short enough to look at every hypothesis.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from assignments.a4_transformer.masking_cases import binomial
from autograder.checks import CheckFailure, assert_like, describe_values, generator, note
from autograder.checks.describe import describe_type
from autograder.checks.strategies import seeds

# All statistical tests of one check together refuse a right sampler with less than this probability.
FALSE_ALARM: Final = 1e-7


@dataclass(frozen=True, eq=False)
class SamplingCase:
    """Logits of a few rows, and what is to come of them."""

    probabilities: Tensor
    """(rows, vocab), the softmax of the logits over the temperature; 0 is a logit of -inf."""
    shifts: Tensor
    """(rows, 1), added to the logits of a row: no softmax sees it."""
    temperature: float
    top_k: int | None
    top_p: float | None
    kept: Tensor
    """(rows, vocab), the tokens that top_k and top_p leave."""
    seed: int

    @cached_property
    def logits(self) -> Tensor:
        """(rows, vocab), float64; for temperature 0 as for 1."""
        return self.probabilities.log() * (self.temperature or 1.0) + self.shifts

    @cached_property
    def expected(self) -> Tensor:
        """(rows, vocab), the probability of every token once some are cut off."""
        left = self.probabilities * self.kept
        return left / left.sum(1, keepdim=True)

    def sample(self, student: Any, logits: Tensor, seed: int | None = None) -> Any:
        """What `sample_next` returns for `logits`, with a generator of the case's seed or of another."""
        draw = generator(self.seed if seed is None else seed)
        return student.sample_next(logits, self.temperature, self.top_k, self.top_p, draw)

    def repeated(self, times: int) -> Tensor:
        """(times * rows, vocab), the logits again and again: many draws in one call."""
        return self.logits.repeat(times, 1)

    def counts(self, tokens: Any, times: int) -> Tensor:
        """(rows, vocab), how often each token was drawn for each row of the repeated logits."""
        rows, size = self.logits.shape
        drawn = expect_token_ids(tokens, times * rows, size).view(times, rows)
        return torch.stack([row.bincount(minlength=size) for row in drawn.T])

    @property
    def how(self) -> str:
        """The arguments in words."""
        return f"temperature {self.temperature:g}, top_k {self.top_k}, top_p {self.top_p}"


# Probabilities are in proportion to different weights of this range: no two are alike, none is tiny.
WEIGHTS: Final = range(2, 10)
# Whether top_k and top_p are given; with both, there is something for each of them to cut off.
CUTS: Final = ((True, False), (False, True), (True, True), (True, True))


@st.composite
def sampling_cases(
    draw: DrawFn,
    temperatures: Sequence[float] = (0.5, 1.0, 2.0),
    cut: bool = True,
    impossible: int = 0,
) -> SamplingCase:
    """Rows of the same probabilities, each in an order of its own, and a known number of tokens to keep.

    With `cut`, `top_k`, `top_p` or both are given: `top_k` may be above the vocabulary, `top_p` lies between
    two sums at which the set changes. Up to `impossible` tokens have a logit of -inf.
    """
    by_k, by_p = draw(st.sampled_from(CUTS)) if cut else (False, False)
    possible, blocked, rows = (
        draw(st.integers(3, 6)),
        draw(st.integers(0, impossible)),
        draw(st.integers(1, 3)),
    )
    temperature, seed = draw(st.sampled_from(temperatures)), draw(seeds())
    rng = random.Random(seed)
    falling = sorted(rng.sample(WEIGHTS, possible), reverse=True)
    kept, top_k, top_p = possible, None, None
    if by_k:
        top_k = rng.randint(2, possible - 1) if by_p else rng.randint(1, possible + blocked + 2)
        kept = min(kept, top_k)
    if by_p:
        left = falling[:kept]
        kept = rng.randint(1, kept - by_k)
        # Between two sums, so that rounding decides nothing; 1 asks for all that is left.
        between = (sum(left[: kept - 1]) + rng.choice((0.5, 0.8)) * left[kept - 1]) / sum(left)
        top_p = 1.0 if kept == len(left) else between
    size = possible + blocked
    ranked = torch.tensor([*falling, *[0] * blocked], dtype=torch.float64) / sum(falling)
    orders = torch.tensor([rng.sample(range(size), size) for _ in range(rows)])
    is_kept = torch.arange(size) < kept
    return SamplingCase(ranked[orders], shifts(rows, rng), temperature, top_k, top_p, is_kept[orders], seed)


def shifts(rows: int, rng: random.Random) -> Tensor:
    """(rows, 1), what may be added to logits."""
    return torch.tensor([[rng.randint(-3, 3)] for _ in range(rows)], dtype=torch.float64)


def expect_token_ids(tokens: Any, rows: int, vocab_size: int) -> Tensor:
    """`tokens` is one id a row, int64; noted."""
    tokens = assert_like(tokens, torch.empty(rows, dtype=torch.int64), what="tokens", dims="batch")
    note(tokens, "every token")
    if ((tokens < 0) | (tokens >= vocab_size)).any():
        raise CheckFailure(
            ("expected", f"ids from 0 to {vocab_size - 1}"), ("got", str(tokens.unique().tolist())[:200])
        )
    return tokens


def expect_kept_only(case: SamplingCase, counts: Tensor) -> None:
    """Of each row just the kept tokens were drawn, and every one of them was.

    A kept token has a probability of 1/20 at least: 500 draws miss it once in 10^11, so that a right sampler
    fails over a few hundred of these with a probability below 10^-8.
    """
    for row, (count, kept) in enumerate(zip(counts, case.kept, strict=True)):
        if not torch.equal(count > 0, kept):
            probabilities = describe_values(case.probabilities[row])
            raise CheckFailure(
                ("wrong", f"other tokens are drawn of row {row} than those that are kept"),
                ("expected", f"tokens {kept.nonzero().flatten().tolist()} and no others"),
                ("got", f"tokens {count.nonzero().flatten().tolist()} in {int(count.sum())} draws"),
                because=f"the probabilities at this temperature are {probabilities}; {case.how}",
            )


def expect_shares(counts: Tensor, probabilities: Tensor, tests: int) -> None:
    """(rows, vocab): each token was drawn as often as draws of its probability may well come to.

    By exact binomial tails, each of which a right sampler reaches with a probability of at most
    FALSE_ALARM / (2 tests), where `tests` is how many counts the check looks at over all its cases.
    """
    limit = FALSE_ALARM / (2 * tests)
    for row, token in itertools.product(*map(range, counts.shape)):
        count, n = int(counts[row, token]), int(counts[row].sum())
        share = float(probabilities[row, token])
        chances = binomial(n, min(share, 1.0))
        if min(chances[: count + 1].sum(), chances[count:].sum()) < limit:
            raise CheckFailure(
                ("wrong", f"token {token} of row {row} is not drawn as often as its probability says"),
                ("expected", f"about {n * share:.0f} times in {n} draws: its probability is {share:.4g}"),
                ("got", f"{count} times"),
                because=f"such a count, or one further off, has a probability below {limit:.0e}",
            )


Hypothesis: TypeAlias = tuple[int, ...]
"""Generated tokens, `eos` included where it came."""


@dataclass(frozen=True, eq=False)
class Language:
    """What follows what: `tables[t]` has the log-probabilities of token t, indexed by the t tokens before it.

    The table of a prefix that goes on behind an `eos` is filled as well: whoever asks for it gets an answer.
    """

    bos: int
    eos: int
    max_len: int
    tables: tuple[Tensor, ...]

    @property
    def vocab_size(self) -> int:
        return self.tables[0].shape[-1]

    def after(self, before: Sequence[int]) -> Tensor:
        """(vocab,), log-probabilities of what follows these generated tokens."""
        return self.tables[len(before)][tuple(before)]

    def score(self, hypothesis: Hypothesis, length_penalty: float) -> float:
        return sum(self.hypotheses[hypothesis]) / len(hypothesis) ** length_penalty

    @cached_property
    def hypotheses(self) -> dict[Hypothesis, list[float]]:
        """All there are, with the log-probabilities of their tokens."""
        return dict(self._from((), []))

    def _from(self, before: Hypothesis, scores: list[float]) -> Iterator[tuple[Hypothesis, list[float]]]:
        for token, log_p in enumerate(self.after(before).tolist()):
            longer, all_scores = (*before, token), [*scores, log_p]
            if token == self.eos or len(longer) == self.max_len:
                yield longer, all_scores
            else:
                yield from self._from(longer, all_scores)

    def best(self, length_penalty: float, rule: "Rule | None" = None) -> list[int]:
        """The ids of the hypothesis with the highest score, or with the highest by another rule."""

        def score(hypothesis: Hypothesis) -> float:
            if rule is None:
                return self.score(hypothesis, length_penalty)
            return rule(self.hypotheses[hypothesis], hypothesis[-1] == self.eos, length_penalty)

        return self.ids(max(self.hypotheses, key=score))

    def ids(self, hypothesis: Hypothesis) -> list[int]:
        """The result that a search for `hypothesis` has."""
        return [token for token in hypothesis if token != self.eos]

    @cached_property
    def greedy(self) -> list[int]:
        """The ids of the one whose first token is the likeliest, then its second, and so on."""
        return self.ids(max(self.hypotheses, key=self.hypotheses.__getitem__))

    def decoded(self, search: Callable[["Step"], Any]) -> list[int]:
        """The ids that `search(step)` returns; what it asked of the step is judged too."""
        step = Step(self)
        try:
            ids = search(step)
        except Exception:
            if step.refusal is not None:
                raise step.refusal from None
            raise
        if step.refusal is not None:
            raise step.refusal
        return self.expect_ids(ids)

    def expect_ids(self, ids: Any) -> list[int]:
        """`ids` is a list of at most `max_len` ints of the vocabulary, without eos; noted."""
        if not isinstance(ids, list) or not all(type(i) is int for i in ids):
            got = repr(ids)[:200] if isinstance(ids, list) else describe_type(ids)
            raise CheckFailure(("expected", "a list of the generated ids, as ints"), ("got", got))
        for wrong, expected in (
            (self.eos in ids, f"ids up to and without eos, which is {self.eos}"),
            (len(ids) > self.max_len, f"at most max_len = {self.max_len} ids"),
            (not all(0 <= i < self.vocab_size for i in ids), f"ids from 0 to {self.vocab_size - 1}"),
        ):
            if wrong:
                raise CheckFailure(("expected", expected), ("got", str(ids)[:200]))
        note(ids or -1, "every id (minus one where there is none)")
        return ids


class Step:
    """A language's `step` for one search: what it is asked is a table's index, so it must be in order.

    What is not is told to the search as an exception, and kept for the check, since the search may catch it.
    """

    def __init__(self, language: Language) -> None:
        self.refusal: CheckFailure | None = None
        self._language = language

    def __call__(self, prefixes: Any) -> Tensor:
        wrong = self._wrong(prefixes)
        if wrong is not None:
            expected = f"prefixes (N, t), int64: {self._language.bos} (bos) and then the tokens so far"
            self.refusal = CheckFailure(
                ("wrong", f"step is called with {wrong}"), ("expected", expected), ("got", _shown(prefixes))
            )
            raise self.refusal
        size = self._language.vocab_size
        if prefixes.shape[1] > self._language.max_len:  # one step too many is a waste and no mistake
            return torch.full((len(prefixes), size), -math.log(size), dtype=torch.float64)
        table, tokens = self._language.tables[prefixes.shape[1] - 1], prefixes[:, 1:].T
        return table[tuple(tokens)] if len(tokens) else table.repeat(len(prefixes), 1)

    def _wrong(self, prefixes: Any) -> str | None:
        language = self._language
        if type(prefixes) is not Tensor:
            return "something that is no tensor"
        if prefixes.ndim != 2:
            return f"a tensor of shape {tuple(prefixes.shape)}"
        if prefixes.dtype != torch.int64:
            return f"a tensor of dtype {str(prefixes.dtype).removeprefix('torch.')}"
        if prefixes.shape[1] == 0 or (prefixes[:, 0] != language.bos).any():
            return f"a prefix that does not begin with bos, which is {language.bos}"
        if ((prefixes < 0) | (prefixes >= language.vocab_size)).any():
            return f"ids that are not from 0 to {language.vocab_size - 1}"
        if prefixes.shape[1] - 1 > language.max_len:
            return f"prefixes of more tokens than max_len, which is {language.max_len}"
        return None


def _shown(prefixes: Any) -> str:
    if type(prefixes) is Tensor and prefixes.numel() <= 12:
        return describe_values(prefixes)
    return describe_type(prefixes)


UNLIKELY: Final = -60.0


@st.composite
def languages(
    draw: DrawFn,
    endings: Sequence[str] = ("whenever",),
    sizes: Sequence[tuple[int, int]] = ((2, 1), (2, 5), (3, 2), (3, 4), (4, 3)),
    impossible: float = 0.0,
) -> Language:
    """Random ones of one of the `sizes` (vocabulary, max_len), which end as one of `endings` says.

    `impossible` is the share of next tokens whose log-probability is -inf, one after each prefix excepted.
    """
    vocab_size, max_len = draw(st.sampled_from(sizes))
    bos, eos = draw(ends(vocab_size))
    return random_language(
        draw(seeds()), bos, eos, max_len, vocab_size, draw(st.sampled_from(endings)), impossible
    )


@st.composite
def ends(draw: DrawFn, vocab_size: int) -> tuple[int, int]:
    """bos and eos: any two tokens."""
    eos = draw(st.integers(0, vocab_size - 1))
    return (eos + draw(st.integers(1, vocab_size - 1))) % vocab_size, eos


def random_language(
    seed: int,
    bos: int,
    eos: int,
    max_len: int,
    vocab_size: int,
    ending: str = "whenever",
    impossible: float = 0.0,
) -> Language:
    """The language of a seed: normal scores after every prefix, independent of one another."""
    normal, tables = generator(seed), []
    for t in range(max_len):
        shape = (vocab_size,) * (t + 1)
        scores = 1.5 * torch.randn(shape, generator=normal, dtype=torch.float64)
        barred = torch.rand(shape, generator=normal) < impossible
        scores = scores.masked_fill(barred & (scores < scores.amax(-1, keepdim=True)), -torch.inf)
        if ending != "whenever":
            scores[..., eos] = -UNLIKELY if ending == "at once" else UNLIKELY
        tables.append(scores.log_softmax(-1))
    return Language(bos, eos, max_len, tuple(tables))


def markov_language(transitions: Sequence[Sequence[float]], bos: int, eos: int, max_len: int) -> Language:
    """The one in which only the last token counts: `transitions[i][j]` is the probability of j after i."""
    log_p = torch.tensor(transitions, dtype=torch.float64).log()
    size = len(log_p)
    tables = [log_p[bos], *(log_p.expand(*[size] * t, size) for t in range(1, max_len))]
    return Language(bos, eos, max_len, tuple(tables))


@dataclass(frozen=True, eq=False)
class SearchCase:
    """A language, what to search it for, and what there is to find."""

    language: Language
    beam: int
    length_penalty: float
    best: list[int]
    """The ids of the hypothesis that the search finds."""

    def search(self, student: Any) -> list[int]:
        """What `beam_search` returns."""
        language, penalty = self.language, self.length_penalty
        arguments = language.bos, language.eos, language.max_len, self.beam
        penalties = (penalty,) if penalty else ()
        return language.decoded(lambda step: student.beam_search(step, *arguments, *penalties))

    def expect_best(self, ids: list[int], because: str) -> None:
        """`ids` are those that there are to find."""
        if ids == self.best:
            return
        language = self.language
        raise CheckFailure(
            ("expected", self._told(self.best)),
            ("got", self._told(ids)),
            because=f"{because}; beam {self.beam}, length_penalty {self.length_penalty:g}, "
            f"eos {language.eos}, max_len {language.max_len}",
        )

    def _told(self, ids: list[int]) -> str:
        """`ids` with their score, worked out."""
        language = self.language
        hypothesis = (*ids, language.eos)[: language.max_len]
        total = math.fsum(language.hypotheses[hypothesis])
        score = language.score(hypothesis, self.length_penalty)
        return f"{ids}, whose score is {total:.4g} / {len(hypothesis)}^{self.length_penalty:g} = {score:.4g}"


# What is often taken for the score: of the log-probabilities of a hypothesis, and whether the last is eos's.
Rule: TypeAlias = Callable[[list[float], bool, float], float]
MISTAKEN: Final[tuple[Rule, ...]] = (
    lambda scores, ended, penalty: sum(scores),
    lambda scores, ended, penalty: sum(scores) / max(len(scores) - ended, 1) ** penalty,
    lambda scores, ended, penalty: sum(scores[: len(scores) - ended]) / len(scores) ** penalty,
    lambda scores, ended, penalty: sum(scores) / len(scores) ** penalty if ended else -math.inf,
)


@st.composite
def wide_cases(
    draw: DrawFn, penalties: Sequence[float] = (0.0, 0.5, 1.0, 2.0), impossible: float = 0.0
) -> SearchCase:
    """With a beam for all hypotheses at once; most tell the score from a mistaken one, or from greed."""
    vocab_size, max_len = draw(st.sampled_from(((2, 5), (3, 3), (3, 4), (4, 3))))
    bos, eos = draw(ends(vocab_size))
    penalty, mistake = draw(st.sampled_from(penalties)), draw(st.none() | st.sampled_from(MISTAKEN))
    beam = vocab_size**max_len + draw(st.integers(0, 2))
    first = draw(seeds())
    for seed in range(first, first + 30):
        language = random_language(seed, bos, eos, max_len, vocab_size, impossible=impossible)
        found = language.best(penalty)
        if found != (language.greedy if mistake is None else language.best(penalty, mistake)):
            break
    return SearchCase(language, beam, penalty, found)

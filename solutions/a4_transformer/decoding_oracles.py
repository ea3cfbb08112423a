"""What decoding.py computes: which tokens are kept, and what a beam finds.

Whether an ended hypothesis keeps its slot in the beam is free, so beam search is here in several ways: it may
leave, be replaced, shrink the beam for good, or stay for as long as it is among the best, by its sum or by
its score; and a search may end when it has `beam` ended ones. Cases are such that every way finds the same.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from assignments.a4_transformer.decoding_cases import (
    WEIGHTS,
    Hypothesis,
    Language,
    SamplingCase,
    SearchCase,
    ends,
    random_language,
    shifts,
)
from autograder.checks.strategies import seeds

# Steep ones reach a `top_p` with fewer tokens than flat ones; none is tiny.
STEEP: Final = (20, 9, 5, 3, 2)
FLAT: Final = (9, 8, 7, 6, 5)


def kept_tokens(weights: Sequence[int], top_k: int | None, top_p: float | None) -> set[int]:
    """Which tokens are left of probabilities in proportion to `weights`, by the definition."""
    ranked = sorted(range(len(weights)), key=lambda token: -weights[token])[:top_k]
    total = sum(weights[token] for token in ranked)
    for n in range(1, len(ranked)):
        if top_p is not None and sum(weights[token] for token in ranked[:n]) / total >= top_p:
            return set(ranked[:n])
    return set(ranked)


def distance(weights: Sequence[int], top_k: int | None, top_p: float) -> float:
    """How far `top_p` is from the next sum at which another token is kept."""
    falling = sorted(weights, reverse=True)[:top_k]
    return min(abs(sum(falling[:n]) / sum(falling) - top_p) for n in range(len(falling)))


@st.composite
def rows_of_their_own(
    draw: DrawFn, impossible: int = 1, temperatures: Sequence[float] = (0.5, 1.0, 2.0)
) -> SamplingCase:
    """Rows with probabilities of their own, of which `top_k` and `top_p` keep different numbers.

    Up to `impossible` tokens of a row have a logit of -inf. Rounding decides nothing, in bfloat16 neither.
    """
    possible, rows = draw(st.integers(3, 5)), draw(st.integers(2, 3))
    size = possible + draw(st.integers(0, impossible))
    temperature, seed = draw(st.sampled_from(temperatures)), draw(seeds())
    rng = random.Random(seed)
    weights = [
        rng.sample(shape, possible) + [0] * (size - possible) for shape in (STEEP, FLAT, WEIGHTS)[:rows]
    ]
    for row in weights:
        rng.shuffle(row)
    top_k = rng.choice((None, size + 1, rng.randint(2, size), rng.randint(2, size)))
    clear = [i / 40 for i in range(1, 40) if all(distance(row, top_k, i / 40) > 0.025 for row in weights)]
    telling = [p for p in clear if len({len(kept_tokens(row, top_k, p)) for row in weights}) > 1]
    top_p = rng.choice((None, 1.0, *(telling or clear)))
    kept = torch.zeros(rows, size, dtype=torch.bool)
    for i, row in enumerate(weights):
        kept[i, [token for token in kept_tokens(row, top_k, top_p) if row[token]]] = True
    counts = torch.tensor(weights, dtype=torch.float64)
    probabilities = counts / counts.sum(1, keepdim=True)
    return SamplingCase(probabilities, shifts(rows, rng), temperature, top_k, top_p, kept, seed)


class Scored(NamedTuple):
    total: float
    tokens: Hypothesis

    def score(self, length_penalty: float) -> float:
        return self.total / len(self.tokens) ** length_penalty


def extended(language: Language, alive: Sequence[Scored]) -> list[Scored]:
    """Every hypothesis and one more token, from the most likely on; among equals (-inf), eos comes first."""
    candidates = [
        Scored(total + log_p, (*tokens, token))
        for total, tokens in alive
        for token, log_p in enumerate(language.after(tokens).tolist())
    ]
    return sorted(candidates, key=lambda each: (-each.total, each.tokens[-1] != language.eos))


def searched(
    language: Language,
    beam: int,
    length_penalty: float,
    ended_ones: str = "leave",
    stops_early: bool = False,
    impossible_too: bool = False,
) -> list[int]:
    """What a beam search finds whose ended hypotheses fare as `ended_ones` says.

    Where fewer than `beam` candidates are possible, `impossible_too` fills the beam up with others.
    """

    def has_ended(hypothesis: Scored) -> bool:
        return language.eos in hypothesis.tokens

    alive, ended = [Scored(0.0, ())], list[Scored]()
    for _ in range(language.max_len):
        candidates = extended(language, alive)
        if not impossible_too:
            candidates = [each for each in candidates if each.total > -math.inf]
        if ended_ones in ("stay by score", "stay by sum"):
            by_score = ended_ones == "stay by score"
            pool = sorted(candidates + ended, key=lambda each: -each.score(length_penalty * by_score))[:beam]
            ended = list(filter(has_ended, pool))
        elif ended_ones == "are replaced":
            pool = [each for each in candidates if not has_ended(each)][:beam]
            ended += filter(has_ended, candidates[:beam])
        else:
            pool = candidates[: beam - len(ended) if ended_ones == "shrink it" else beam]
            ended += filter(has_ended, pool)
        alive = [each for each in pool if not has_ended(each)]
        if not alive or (stops_early and len(ended) >= beam):
            break
    # Of a search that stopped early, what is alive has not come to its end.
    ended += [each for each in alive if len(each.tokens) == language.max_len]
    return language.ids(max(ended, key=lambda each: each.score(length_penalty)).tokens)


WAYS: Final = tuple(
    (ended_ones, stops_early, impossible_too)
    for ended_ones in ("leave", "are replaced", "shrink it", "stay by score", "stay by sum")
    for stops_early in (False, True)
    for impossible_too in (False, True)
)


def found_in_any_way(language: Language, beam: int, length_penalty: float) -> list[int] | None:
    """What every way to search finds; None where it matters which one is taken."""
    found = [searched(language, beam, length_penalty, *way) for way in WAYS]
    return found[0] if all(each == found[0] for each in found) else None


def greedy_of_each(language: Language, beam: int, length_penalty: float) -> list[int]:
    """A mistake: every hypothesis of the first `beam` goes on by itself, by its most likely token."""
    grown = extended(language, [Scored(0.0, ())])[:beam]
    for i, each in enumerate(grown):
        while len(each.tokens) < language.max_len and language.eos not in each.tokens:
            each = extended(language, [each])[0]
        grown[i] = each
    return language.ids(max(grown, key=lambda each: each.score(length_penalty)).tokens)


def without_penalty(language: Language, beam: int, length_penalty: float) -> list[int]:
    """A mistake."""
    return searched(language, beam, 0.0)


def exhaustive(language: Language, beam: int, length_penalty: float) -> list[int]:
    return language.best(length_penalty)


def greedy(language: Language, beam: int, length_penalty: float) -> list[int]:
    return language.greedy


OTHERS: Final[tuple[Callable[[Language, int, float], list[int]], ...]] = (
    greedy_of_each,
    without_penalty,
    exhaustive,
    greedy,
)


@st.composite
def narrow_cases(draw: DrawFn) -> SearchCase:
    """With a beam that does not hold all; most of them tell beam search from another way to decode."""
    vocab_size, max_len = draw(st.sampled_from(((3, 4), (3, 5), (4, 4), (5, 3))))
    bos, eos = draw(ends(vocab_size))
    beam, penalty = draw(st.integers(2, 5)), draw(st.sampled_from((0.0, 0.5, 1.0, 1.5)))
    other, impossible, seed = draw(st.sampled_from(OTHERS)), draw(st.sampled_from((0.0, 0.5))), draw(seeds())
    for attempt in range(100):
        language = random_language(seed + attempt, bos, eos, max_len, vocab_size, impossible=impossible)
        is_telling = searched(language, beam, penalty) != other(language, beam, penalty)
        found = found_in_any_way(language, beam, penalty) if is_telling or attempt > 30 else None
        if found is not None:
            return SearchCase(language, beam, penalty, found)
    raise AssertionError("the ways to search agree on one language in two, or more")

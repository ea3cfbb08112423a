"""Dates as people write them, to be turned into ISO 8601: the task that `Seq2Seq` is graded on.

"March 3, 1998" -> "1998-03-03", character by character. The check builds, trains and tests your
model with the constants below, so this file is also the place to try it out:

    model = Seq2Seq(SRC_VOCAB, TGT_VOCAB, EMBED_SIZE, HIDDEN_SIZE, pad=PAD)
    train_seq2seq(model, date_batches("train"), LR, STEPS)
    (src, src_lengths, tgt), = date_batches("test", batch_size=500)
    exact_match(greedy_decode(model.eval(), src, src_lengths, BOS, EOS, MAX_LEN), tgt)
"""

import string
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

PAD, BOS, EOS = 0, 1, 2
SOURCE_CHARACTERS = (
    " ," + string.digits + string.ascii_letters
)  # ids from 1: a source has neither bos nor eos
TARGET_CHARACTERS = "-" + string.digits  # ids from 3
SRC_VOCAB = 1 + len(SOURCE_CHARACTERS)
TGT_VOCAB = 3 + len(TARGET_CHARACTERS)

EMBED_SIZE = 32
HIDDEN_SIZE = 64
BATCH_SIZE = 24
LR = 0.015
STEPS = 150
MAX_LEN = 15  # an ISO date and its eos are 11 tokens: whoever does not stop at eos shows it

DATA = Path(__file__).resolve().parents[2] / "data" / "dates.tsv"
_SOURCE_IDS = {character: i for i, character in enumerate(SOURCE_CHARACTERS, start=1)}
_TARGET_IDS = {character: i for i, character in enumerate(TARGET_CHARACTERS, start=3)}


@cache
def date_pairs(split: Literal["train", "test"]) -> tuple[tuple[str, str], ...]:
    """The pairs (written date, ISO date) of a split, in the order of the file: 4000 or 500."""
    rows = (line.split("\t") for line in DATA.read_text(encoding="utf-8").splitlines())
    return tuple((written, iso) for name, written, iso in rows if name == split)


def encode_source(written: str) -> Tensor:
    """A written date as ids (T,)."""
    return torch.tensor([_SOURCE_IDS[character] for character in written])


def encode_target(iso: str) -> Tensor:
    """An ISO date as ids (T,), from bos to eos."""
    return torch.tensor([BOS, *(_TARGET_IDS[character] for character in iso), EOS])


def decode_target(ids: list[int]) -> str:
    """Generated ids as text; pad, bos and eos, which have no character, show as "?"."""
    return "".join(TARGET_CHARACTERS[i - 3] if i >= 3 else "?" for i in ids)


def date_batches(
    split: Literal["train", "test"] = "train", batch_size: int = BATCH_SIZE
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """A split as (src (B, Ts), src_lengths (B,), tgt (B, Tt)), each batch padded to its longest row."""
    pairs = date_pairs(split)
    batches = []
    for start in range(0, len(pairs), batch_size):
        sources, targets = zip(*pairs[start : start + batch_size], strict=True)
        src = [encode_source(written) for written in sources]
        tgt = [encode_target(iso) for iso in targets]
        batches.append(
            (
                pad_sequence(src, batch_first=True, padding_value=PAD),
                torch.tensor([len(ids) for ids in src]),
                pad_sequence(tgt, batch_first=True, padding_value=PAD),
            )
        )
    return batches


def exact_match(decoded: list[list[int]], targets: Tensor) -> float:
    """The share of rows that were generated exactly right: every token between bos and eos, and no more.

    `targets` (B, Tt) runs from bos to eos; another number of rows in `decoded` is a ValueError.
    """
    if len(decoded) != len(targets):
        raise ValueError(f"decoded must hold {len(targets)} rows, got {len(decoded)}")
    expected = [row[1 : row.index(EOS)] for row in targets.tolist()]
    right = sum(list(ids) == wanted for ids, wanted in zip(decoded, expected, strict=True))
    return right / len(expected)

"""Four books of the World English Bible, character by character: what `CharLM` is graded on.

The check trains and tests your model with the constants below, in bits per character: the mean of -log₂ of
the probability that it gave to the character that came. To read what it has learned:

    model = CharLM(len(CHARACTERS), EMBED_SIZE, HIDDEN_SIZE)
    ... train it on char_batches("train"): the logits of tokens[:, :-1] against tokens[:, 1:] ...
    decode(generate(model, encode("In the beginning"), 200, 0.5, torch.Generator()))
"""

import math
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

CHARACTERS = "\n !(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz—‘’“”"

EMBED_SIZE = 32
HIDDEN_SIZE = 64
BATCH_SIZE = 64
LENGTH = 32  # characters that a row of a batch foretells
LR = 0.02
STEPS = 120

DATA = Path(__file__).resolve().parents[2] / "data" / "web.txt"
_IDS = {character: i for i, character in enumerate(CHARACTERS)}


@cache
def corpus(split: Literal["train", "test"]) -> str:
    """The text of a split, a verse a line: every tenth chapter is for testing."""
    chapters = DATA.read_text(encoding="utf-8").split("\n\n")
    test = chapters[9::10]
    return "\n\n".join(test if split == "test" else [c for c in chapters if c not in test])


def encode(text: str) -> Tensor:
    """A text as ids (T,); a character that the corpus does not know is a KeyError."""
    return torch.tensor([_IDS[character] for character in text])


def decode(ids: Tensor) -> str:
    """Ids (T,) as text."""
    return "".join(CHARACTERS[i] for i in ids.tolist())


def char_batches(
    split: Literal["train", "test"] = "train", batch_size: int = BATCH_SIZE, length: int = LENGTH
) -> list[Tensor]:
    """A split as tokens (B, length + 1), as many as it fills; the last character of a row begins the next.

    The text is laid out in `batch_size` long rows, cut into batches from left to right: row b of a batch
    goes on where row b of the batch before it ended, so that a state may be carried from batch to batch.
    """
    ids = encode(corpus(split))
    columns = (len(ids) - 1) // batch_size // length * length
    rows = ids[: batch_size * columns].view(batch_size, columns)
    rows = torch.cat([rows, ids[columns : batch_size * columns + 1 : columns].unsqueeze(1)], dim=1)
    return [rows[:, start : start + length + 1] for start in range(0, columns, length)]


def bits_per_character(logits: Tensor, targets: Tensor) -> float:
    """Mean of -log₂ softmax(logits (…, V)) at `targets` (…)."""
    nats = torch.nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())
    return nats.item() / math.log(2)

"""GPT and LSTM on the same characters: a4_transformer's solution beside a2_lstm's, at equal steps.

python benchmarks/transformer_text.py [--seeds 3] [--steps 120 480]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assignments.a2_lstm import corpus
from autograder.checks import beside
from benchmarks.solution import over_seeds, row, solution_module

LRS = (0.001, 0.003, 0.01, 0.03, 0.1)
VOCAB = len(corpus.CHARACTERS)
VALIDATION = 20  # of the training batches, the last ones, which nothing is trained on
TUNING_SEED = 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=[120, 480])
    options = parser.parse_args()
    with (
        solution_module("a2_lstm", "text") as text,
        solution_module("a4_transformer", "training") as training,
    ):
        models = contestants(text, beside(training, "models"))
        for name, make in models.items():
            print(f"{name}: {sum(p.numel() for p in make().parameters())} parameters")
        for steps in options.steps:
            print(f"{steps} steps: bits per character on test chapters, least to greatest over the seeds")
            for name, make in models.items():
                compare(name, make, training, steps, options.seeds)


class Logits(nn.Module):
    """A `CharLM` that is called, and so trained, like a GPT: every row of a batch is a text of its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        logits, _ = self.model(tokens)
        return logits


def contestants(text: ModuleType, models: ModuleType) -> dict[str, Callable[[], nn.Module]]:
    """What makes each of them, untrained."""

    def gpt(d_model: int, n_layers: int) -> nn.Module:
        return models.GPT(VOCAB, d_model, 4, 2 * d_model, n_layers, corpus.LENGTH)

    return {
        "LSTM, 64 units": lambda: Logits(text.CharLM(VOCAB, corpus.EMBED_SIZE, corpus.HIDDEN_SIZE)),
        "GPT, 1 layer of 56": lambda: gpt(56, 1),
        "GPT, 2 layers of 40": lambda: gpt(40, 2),
        "GPT, 2 layers of 80": lambda: gpt(80, 2),
    }


def compare(name: str, make: Callable[[], nn.Module], training: ModuleType, steps: int, seeds: int) -> None:
    """Picks the learning rate on validation text, then trains with that one and every seed."""
    batches = corpus.char_batches("train")
    batches, validation = batches[:-VALIDATION], batches[-VALIDATION:]

    def trained(lr: float) -> nn.Module:
        model = make()
        training.train_lm(model, batches, lr, steps)
        return model.eval()

    found = {}
    for lr in LRS:
        torch.manual_seed(TUNING_SEED)
        found[lr] = bits(trained(lr), validation)
    best = min(found, key=lambda lr: found[lr])
    start = time.process_time()
    reached = over_seeds(lambda: bits(trained(best), corpus.char_batches("test")), seeds)
    row(f"{name}, lr {best:g}, {(time.process_time() - start) / seeds:.1f} s", reached)


def bits(model: nn.Module, batches: list[Tensor]) -> float:
    """Bits per character; each row begins without a past, for a GPT has no state to carry over."""
    with torch.no_grad():
        found = [corpus.bits_per_character(model(tokens[:, :-1]), tokens[:, 1:]) for tokens in batches]
    return sum(found) / len(found)


if __name__ == "__main__":
    main()

"""What the threshold of the learning check of a3_attention lets through, and what it catches.

    python benchmarks/dates_threshold.py [--seeds 10] [--mistake-seeds 3]

Trains on the dates as the check does: the solution and the alternatives with several seeds, then every
listed mistake of seq2seq.py. Prints the share of test dates written exactly right, least to greatest, and
CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from assignments.a3_attention import dates
from autograder.course import Course
from autograder.importing import SubmissionImporter
from autograder.mistakes import apply, load_mistakes
from autograder.submission import read_submission

UNIT = "a3_attention"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--mistake-seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    unit = Course.find(Path(__file__).parent).unit(UNIT)
    assert unit.hidden is not None
    for folder in (unit.hidden, *sorted((unit.hidden / "alternatives").iterdir())):
        report(folder.name, read_submission(folder, unit.modules, folder.name, UNIT).sources, options.seeds)
    solution = read_submission(unit.hidden, unit.modules, "solution", UNIT).sources
    mine = {exercise.name for exercise in unit.exercises if exercise.module == "seq2seq"}
    for mistake in load_mistakes(unit.hidden / "mistakes.toml"):
        if mistake.exercise in mine:
            sources = {**solution, "seq2seq": apply(mistake, solution["seq2seq"])}
            report(f"{mistake.exercise}: {mistake.name}", sources, options.mistake_seeds)


def report(name: str, sources: dict[str, str], seeds: int) -> None:
    importer = SubmissionImporter(sources, {module: f"{module}.py" for module in sources})
    start = time.process_time()
    try:
        reached = sorted(learn(importer, seed) for seed in range(seeds))
        shown = " ".join(f"{share:.3f}" for share in reached)
        verdict = "passes" if reached[0] >= dates.REQUIRED_MATCH else "caught"
    except Exception as error:
        shown, verdict = f"{type(error).__name__}: {error}"[:60], "caught"
    finally:
        importer.remove()
    print(f"{name:<70} {verdict}  {shown}   {(time.process_time() - start) / seeds:.1f} s", flush=True)


def learn(importer: SubmissionImporter, seed: int) -> float:
    student = importer.load("seq2seq")
    torch.manual_seed(seed)
    sizes = dates.SRC_VOCAB, dates.TGT_VOCAB, dates.EMBED_SIZE, dates.HIDDEN_SIZE
    model = student.Seq2Seq(*sizes, pad=dates.PAD)
    student.train_seq2seq(model, dates.date_batches("train"), dates.LR, dates.STEPS)
    ((src, lengths, tgt),) = dates.date_batches("test", batch_size=500)
    decoded = student.greedy_decode(model.eval(), src, lengths, dates.BOS, dates.EOS, dates.MAX_LEN)
    return dates.exact_match(decoded, tgt)


if __name__ == "__main__":
    main()

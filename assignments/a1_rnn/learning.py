"""What this unit's networks are to learn: to add two binary numbers, and to foretell a chaotic series."""

from typing import Any

import torch
import torch.nn.functional as F

from assignments.a1_rnn import addition, series
from autograder.checks import LearningTask, assert_shape

RESERVOIRS = 3


def share_of_sums(student: Any) -> float:
    """Trains on short sums as `addition.py` says; the share of longer ones that come out right."""
    model = student.SequenceTagger(addition.INPUT_SIZE, addition.HIDDEN_SIZE, addition.N_CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), lr=addition.LR)
    for x, targets in addition.training_batches():
        logits = assert_shape(model(x), (*targets.shape, addition.N_CLASSES), what="logits")
        loss = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten()
        )  # not theirs: that is another exercise
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return addition.exact_sums(model)


def forecast_error(student: Any, seed: int) -> float:
    """The error of one echo state network on the last part of the series, as `series.py` says."""
    x, targets = series.forecasting_task()
    past, future = slice(series.WASHOUT, series.TRAIN), slice(series.TRAIN, None)
    generator = torch.Generator().manual_seed(seed)
    w = student.make_reservoir(series.SIZE, series.SPECTRAL_RADIUS, series.DENSITY, generator)
    w = assert_shape(w, (series.SIZE, series.SIZE), what="reservoir").double()
    states = student.run_reservoir(x, series.draw_input_weights(generator), w)
    states = assert_shape(states, (len(x), series.SIZE), what="states")
    readout = student.fit_readout(states[past], targets[past], series.RIDGE)
    readout = assert_shape(readout, (targets.shape[1], series.SIZE), what="readout")
    return series.nrmse(states[future] @ readout.T, targets[future])


def mean_forecast_error(student: Any, sample: int = 0) -> float:
    """Of `RESERVOIRS` networks; each sample has others."""
    first = sample * RESERVOIRS
    return sum(forecast_error(student, seed) for seed in range(first, first + RESERVOIRS)) / RESERVOIRS


ADDITION = LearningTask(
    name="addition",
    exercise="SequenceTagger",
    module="wiring",
    measure="share of 500 sums of 16 bits that are right in every bit",
    required=0.9,
    learn=share_of_sums,
)
MACKEY_GLASS = LearningTask(
    name="mackey_glass",
    exercise="fit_readout",
    module="reservoir",
    measure=f"error (NRMSE) of a forecast of the Mackey-Glass series {series.HORIZON} steps ahead, "
    f"mean of {RESERVOIRS} reservoirs",
    required=0.2,
    learn=mean_forecast_error,
    lower_is_better=True,
    sweep=mean_forecast_error,
)
TASKS = (ADDITION, MACKEY_GLASS)

"""What this unit's models are to learn: dates, from the way people write them to ISO 8601."""

from typing import Any

from assignments.a3_attention import dates
from assignments.a3_attention.cases import expect_id_lists
from autograder.checks import LearningTask


def share_of_dates(student: Any) -> float:
    """Trains as `dates.py` says; the share of its 500 test dates that are written exactly right."""
    model = student.Seq2Seq(
        dates.SRC_VOCAB, dates.TGT_VOCAB, dates.EMBED_SIZE, dates.HIDDEN_SIZE, pad=dates.PAD
    )
    student.train_seq2seq(model, dates.date_batches("train"), dates.LR, dates.STEPS)
    ((src, src_lengths, tgt),) = dates.date_batches("test", batch_size=500)
    decoded = student.greedy_decode(model.eval(), src, src_lengths, dates.BOS, dates.EOS, dates.MAX_LEN)
    expect_id_lists(decoded, len(src), dates.EOS, dates.MAX_LEN)
    return dates.exact_match(decoded, tgt)


DATES = LearningTask(
    name="dates",
    exercise="train_seq2seq",
    module="seq2seq",
    measure="share of 500 test dates written exactly right",
    required=0.85,
    learn=share_of_dates,
)
TASKS = (DATES,)

"""What a unit does not let its submissions do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """`forbidden` are dotted library names that a submission may not call; `by_hand` are the functions, as
    "module.function", in whose calls it may not let autograd differentiate for it."""

    forbidden: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()

"""What a unit does not let its submissions do."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """`forbidden` are dotted library names that a submission may not call; `by_hand` are the functions, as
    "module.function", in whose calls it may not let autograd differentiate for it; `within` are library
    names that it may not call in the calls of one function or class only."""

    forbidden: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    within: dict[str, tuple[str, ...]] = field(default_factory=dict)

"""The check that an exercise works in every floating dtype: cases of its other checks, in others too."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator

import torch

from autograder.check import Failure
from autograder.checks.failure import CheckFailure, Row
from autograder.checks.vacuity import watching
from autograder.device.places import AUTOCAST
from autograder.parity.comparison import LACKS, Answer, NotVerifiable, line_of, place_of
from autograder.parity.verdict import NOTHING_RIGHT, RecordedCase
from autograder.results import DtypesVerdict
from autograder.worker import wire
from autograder.worker.links import Transcript

DTYPES = ("float64", "float32", "bfloat16")
# A case in bfloat16 is recorded by checks of exactly that, and is no measure for the others.
_BASES = {torch.float64: "float64", torch.float32: "float32"}

# What torch says where tensors of two dtypes meet. Whatever else goes wrong in bfloat16 only may be due to
# its eight bits, and to the case.
_DTYPE_ERRORS = re.compile(
    r"dtype|scalar type|ScalarType|(Double|Float|BFloat16|Half)Tensor|result type \w+ can't be cast",
)
_ADVICE = (
    "make new tensors in the dtype of the others: x.new_zeros, torch.zeros_like, dtype=x.dtype;\n"
    "x.float(), torch.zeros(3) and torch.tensor([0.5]) are float32 whatever the inputs are"
)
_BECAUSE = "a result has the dtype of its inputs; float64 and bfloat16 work wherever float32 does"
_NO_DTYPE = "its checks pass nothing that has a floating dtype"
# float32 ends at 3e38: what is as large as this may be so on the way, and overflow there
_MODERATE = 1e4

Replay = Callable[[RecordedCase, str], list[Answer]]


def places_for(transcript: Transcript) -> tuple[str, ...]:
    """The places where a recorded case is to be asked again; none where it has no one floating dtype."""
    base = _base(transcript)
    if base is None:
        return ()
    return (*(name for name in DTYPES if name != _BASES[base]), AUTOCAST)


def judge_dtypes(cases: Collection[RecordedCase], replay: Replay) -> tuple[DtypesVerdict, Failure | None]:
    """Whether the submission does in other dtypes what it did in a case's own; the failure to tell if not.

    `cases` are some that it passes; `replay` asks a recorded case's steps at a place, and raises
    NotVerifiable where it cannot.
    """
    verified: set[str] = set()
    doubtful: set[str] = set()
    reasons: list[str] = []
    advice: dict[str, None] = {}
    for recorded in cases:
        for place in places_for(recorded.transcript):
            try:
                answers = replay(recorded, place)
                if place == AUTOCAST:
                    advice |= dict.fromkeys(_under_autocast(recorded.transcript, answers))
                    continue
                with watching():  # these comparisons are no part of what the check judges
                    says_something = _compare(recorded.transcript, answers, place)
            except NotVerifiable as error:
                reasons.append(f"in {place}: {error}")
                doubtful.add(place)
            except CheckFailure as failure:
                return DtypesVerdict((), fails=True), Failure(failure, recorded.case)
            else:
                if says_something:
                    verified |= {place, _BASES[_base_of(recorded)]}
    names = tuple(name for name in DTYPES if name in verified - doubtful)
    if len(names) > 1:
        return DtypesVerdict(names, "\n".join(advice)), None
    return DtypesVerdict((), [*reasons, _NO_DTYPE if cases else NOTHING_RIGHT][0]), None


def _base_of(recorded: RecordedCase) -> torch.dtype:
    base = _base(recorded.transcript)
    assert base is not None  # it was asked elsewhere
    return base


def _base(transcript: Transcript) -> torch.dtype | None:
    """The floating dtype of what a case gives the submission, or else of the modules that it makes."""
    given = {t.dtype for step in transcript.steps for t in step.tensors if t.is_floating_point()}
    made = {
        table[ref.index].dtype
        for result, table in transcript.answers
        if isinstance(result, wire.Returned)
        for module in result.modules
        for ref in module.state.tensors.values()
        if table[ref.index].is_floating_point()
    }
    found = given or made
    return next(iter(found)) if len(found) == 1 and found <= _BASES.keys() else None


def _compare(transcript: Transcript, answers: list[Answer], place: str) -> bool:
    """Whether something was computed at `place` that could be compared.

    Raises CheckFailure where it is wrong, NotVerifiable where the place may be to blame.
    """
    base, dtype, says_something = _base(transcript), getattr(torch, place), False
    for (host, host_table), (there, table) in zip(transcript.answers, answers, strict=True):
        seen = there.on_device
        if isinstance(host, wire.Raised) or seen is None or not seen.is_used:
            continue  # a refusal on the CPU, which the check has looked at; a call that is given no tensor
        if isinstance(there, wire.Raised):
            raise _raised(there, place)
        says_something = True
        if not (isinstance(host, wire.Returned) and isinstance(there, wire.Returned)):
            continue
        try:
            pairs = list(_pairs(host.value, there.value, "the result"))
            found = [(name, host_table[a], table[b]) for name, a, b in pairs]
        except (IndexError, ValueError):  # references to tensors that were not sent
            raise NotVerifiable("the submission's process sent something that is no answer") from None
        for name, expected, got in found:
            if expected.dtype == base and got.dtype != dtype:
                raise CheckFailure(
                    ("wrong", f"{name} is {_name(got.dtype)} where the inputs are {place}"),
                    ("expected", f"{name} in {place}"),
                    ("tried", f"this case with every floating tensor and parameter in {place}"),
                    ("advice", _ADVICE),
                    because=_BECAUSE,
                )
            if dtype is torch.float32 and not seen.is_random and _lost(expected, got):
                raise CheckFailure(
                    ("wrong", f"{name} has NaN in float32, and none in {_name(expected.dtype)}"),
                    ("tried", "this case with every floating tensor and parameter in float32"),
                    because=_BECAUSE,
                )
    return says_something


def _lost(expected: torch.Tensor, got: torch.Tensor) -> bool:
    """Whether numbers that float32 holds easily became NaN."""
    if not expected.is_floating_point() or expected.shape != got.shape or not expected.numel():
        return False
    moderate = bool(expected.isfinite().all()) and bool(expected.abs().max() < _MODERATE)
    return moderate and bool(got.isnan().any())


def _raised(there: wire.Raised, place: str) -> CheckFailure | NotVerifiable:
    text = f"{there.kinds[0] if there.kinds else 'Exception'}: {there.message}"
    of_dtypes = _DTYPE_ERRORS.search(there.message) and not LACKS.search(there.message)
    if LACKS.search(there.message) or (place == "bfloat16" and not of_dtypes):
        return NotVerifiable(text.splitlines()[0][:300])
    rows: list[Row] = [("wrong", f"this works in the case's own dtype, and not in {place}")]
    if there.frames:
        rows.append(("where", line_of(place_of(there.frames[-1], ""))))
    return CheckFailure(
        *rows,
        ("raised", text),
        ("tried", f"this case with every floating tensor and parameter in {place}"),
        ("advice", _ADVICE),
        because=_BECAUSE,
    )


def _under_autocast(transcript: Transcript, answers: list[Answer]) -> Iterator[str]:
    for (host, _), (there, _) in zip(transcript.answers, answers, strict=True):
        if isinstance(there, wire.Raised) and not isinstance(host, wire.Raised):
            where = line_of(place_of(there.frames[-1], "")) if there.frames else ""
            message = there.message.splitlines()[0][:200] if there.message else ""
            yield f"{where}: raises under torch.autocast: {message}".removeprefix(": ")
            return


def _pairs(a: wire.Value, b: wire.Value, name: str) -> Iterator[tuple[str, int, int]]:
    """Where two values hold a tensor at the same place, and its places in their tables."""
    match a, b:
        case wire.TensorRef(), wire.TensorRef():
            yield name, a.index, b.index
        case (wire.TupleOf(xs), wire.TupleOf(ys)) | (wire.ListOf(xs), wire.ListOf(ys)):
            for i, (x, y) in enumerate(itertools.zip_longest(xs[: len(ys)], ys[: len(xs)])):
                yield from _pairs(x, y, f"{name}[{i}]")
        case wire.DictOf(xs), wire.DictOf(ys) if len(xs) == len(ys):
            for (_, x), (key, y) in zip(xs, ys, strict=True):
                yield from _pairs(x, y, f"{name}[{key!r}]")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

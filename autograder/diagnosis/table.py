"""The table of known mistakes: what each of them answers on a few cases, and the hint that goes with it.

A unit has two, made by `autograder diagnosis`: one on cases of all checks, for grading, which stays with the
solutions; and one on cases of public checks, which is released, so that a student's own machine names a
mistake too. Neither holds a solution's answer, or a mistake's. What a mistake is called and its hint are
sealed with its fingerprints: the text opens to whoever makes the mistake, and to nobody who merely looks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from autograder.diagnosis.fingerprint import Fingerprint
from autograder.results import Diagnosis

Prints = Sequence[Fingerprint | None]


@dataclass(frozen=True)
class Probe:
    """A case of a check, by its number among those drawn; `digest` tells whether the same was drawn."""

    check: str
    case: int
    digest: str


@dataclass(frozen=True)
class KnownMistake:
    """`lock` is opened by how the mistake fails each probe; `sums` are the total and size of what it answers
    there, in the order of the probes that it fails."""

    lock: str
    sums: tuple[tuple[float, float], ...]
    sealed: str


@dataclass(frozen=True)
class ExerciseTable:
    """The known mistakes of an exercise, and the cases that tell them apart."""

    probes: tuple[Probe, ...]
    mistakes: tuple[KnownMistake, ...]

    def diagnose(self, prints: Prints) -> Diagnosis | None:
        """The mistake that fails each probe as `prints` tell; of several with one hint, all names.

        None where there is no such mistake, or where those that there are would be told other things.
        """
        found: dict[str, list[str]] = {}
        for known in self.mistakes:
            if (text := _open(known, prints)) is not None:
                name, hint = json.loads(text)
                found.setdefault(hint, []).append(name)
        if len(found) != 1:
            return None
        [(hint, names)] = found.items()
        return Diagnosis(" or ".join(names), hint)


def known_mistake(name: str, hint: str, prints: Prints) -> KnownMistake:
    """The entry of a mistake that fails each probe as `prints` tell."""
    sums = tuple((print_.total, print_.size) for print_ in prints if print_ is not None)
    key = _key(prints)
    return KnownMistake(_lock(key), sums, _sealed(json.dumps([name, hint], ensure_ascii=False).encode(), key))


def read_table(path: Path) -> dict[str, ExerciseTable]:
    """The table in a file by exercise; empty where there is no such file. Raises ValueError if it is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(data, type=dict[str, ExerciseTable])


def table_text(tables: dict[str, ExerciseTable]) -> str:
    """What `read_table` reads: a line an exercise, so that a change shows where it is."""
    lines = (f"{json.dumps(name)}: {msgspec.json.encode(table).decode()}" for name, table in tables.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _open(known: KnownMistake, prints: Prints) -> str | None:
    key = _key(prints)
    if _lock(key) != known.lock:
        return None
    failed = [print_ for print_ in prints if print_ is not None]
    for print_, (total, size) in zip(failed, known.sums, strict=True):
        if not print_.matches(Fingerprint(print_.kind, total, size)):
            return None
    return _xor(base64.b85decode(known.sealed), key).decode()


def _key(prints: Iterable[Fingerprint | None]) -> bytes:
    return "\n".join("" if print_ is None else print_.kind for print_ in prints).encode()


def _lock(key: bytes) -> str:
    return hashlib.sha256(b"lock\n" + key).hexdigest()[:16]


def _sealed(text: bytes, key: bytes) -> str:
    return base64.b85encode(_xor(text, key)).decode()


def _xor(text: bytes, key: bytes) -> bytes:
    """To keep a reader from spoiling the fun, not an adversary: whoever runs the mistake gets the hint."""
    stream = hashlib.shake_256(b"seal\n" + key).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))

"""Results on disk, a file a submission: `<folder>/<unit>/<student>.json`, and those that it replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.results import UnitResult
from autograder.store.files import file_name, write_whole

_FORMAT = 1


class StoreError(Exception):
    """A stored result cannot be read or written; the message is one sentence for people."""


@dataclass(frozen=True)
class Graded:
    """One submission's result, and what it belongs to.

    `digest` is that of the submission's files, `version` the course's; `graded_at` is a time in ISO 8601 with
    its zone. `seconds` is what grading took.
    """

    result: UnitResult
    digest: str
    version: str
    graded_at: str
    seconds: float

    @property
    def key(self) -> tuple[str, str]:
        """Who is graded, and for what."""
        return self.result.student, self.result.unit

    def is_of(self, digest: str, version: str) -> bool:
        """Whether grading this submission with this course again would give the same."""
        return (self.digest, self.version) == (digest, version)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "digest": self.digest,
            "version": self.version,
            "graded_at": self.graded_at,
            "seconds": self.seconds,
            "result": self.result.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Graded:
        """Raises KeyError, TypeError or ValueError where it is no such document."""
        if document["format"] != _FORMAT:
            raise ValueError(f"format {document['format']!r} is not {_FORMAT}")
        return cls(
            UnitResult.from_json(document["result"]),
            document["digest"],
            document["version"],
            document["graded_at"],
            document["seconds"],
        )


class ResultStore:
    """The results of one class in `folder`; a submission has its own file: graders that work side by side
    are never in each other's way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, graded: Graded) -> None:
        """Keep a result; another one of the same submission's place goes to its history.

        Raises StoreError where it cannot be written: nothing that was there is lost then.
        """
        path = self._path(*graded.key)
        before = self.get(*graded.key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if before is not None and before != graded:
                self._keep(path, before)
            write_whole(path, _text(graded))
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None

    def get(self, student: str, unit: str) -> Graded | None:
        """The latest result, or None. Raises StoreError where its file holds something else."""
        path = self._path(student, unit)
        return _read(path) if path.exists() else None

    def history(self, student: str, unit: str) -> list[Graded]:
        """The results that others replaced, the oldest first."""
        folder = self._path(student, unit).with_suffix(".history")
        paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem)) if folder.is_dir() else []
        return [_read(path) for path in paths]

    def all(self) -> Iterator[Graded]:
        """Every latest result, by unit and file name. Raises StoreError at one that cannot be read."""
        for path in sorted(self._folder.glob("*/*.json")):
            yield _read(path)

    def _path(self, student: str, unit: str) -> Path:
        return self._folder / unit / f"{file_name(student)}.json"

    def _keep(self, path: Path, graded: Graded) -> None:
        folder = path.with_suffix(".history")
        folder.mkdir(exist_ok=True)
        numbers = [int(each.stem) for each in folder.glob("*.json")]
        last = folder / f"{max(numbers, default=0)}.json"
        if numbers and _read(last) == graded:
            return  # a run was killed between this and the writing of what replaces it
        write_whole(folder / f"{max(numbers, default=0) + 1}.json", _text(graded))


def _text(graded: Graded) -> str:
    return json.dumps(graded.to_json(), ensure_ascii=False, indent=2) + "\n"


def _read(path: Path) -> Graded:
    try:
        return Graded.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} is no stored result ({type(error).__name__}: {error}); move it away and grade that "
            "submission again."
        ) from None

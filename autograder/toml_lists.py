"""TOML files that people write: every way in which one cannot be read is a sentence that says where."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def read_toml(path: Path, where: str, error: type[Exception]) -> dict[str, Any]:
    """The table in a file that messages call `where`. Raises `error`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{where} cannot be read ({(problem.strerror or str(problem)).lower()}).") from problem
    except UnicodeDecodeError:
        raise error(f"{where} is not valid UTF-8.") from None
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{where} is not valid TOML: {problem}.") from None


def read_entries(path: Path, heading: str, where: str, error: type[Exception]) -> list[dict[str, Any]]:
    """The tables headed [[`heading`]], of a file that holds nothing else. Raises `error`."""
    table = read_toml(path, where, error)
    for key in sorted(table.keys() - {heading}):
        raise error(f"{where}: unknown key {key!r}; every {heading} is a table headed [[{heading}]].")
    entries = table.get(heading, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise error(f"{where}: {heading!r} must be a list of tables, each headed [[{heading}]].")
    return entries

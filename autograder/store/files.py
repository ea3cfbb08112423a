"""Files that a reader finds whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Whoever reads `path`, after a crash too, finds all of the text, or what was there before."""
    descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def file_name(student: str) -> str:
    """The student's name where it is a safe one, a readable and unique stand-in otherwise."""
    plain = student.replace("-", "").replace("_", "")
    if plain.isalnum() and plain.isascii() and len(student) <= 100:
        return student
    kept = "".join(c for c in student if c.isascii() and c.isalnum())
    # names on disk may be any bytes: those that are no text stand in a name as lone surrogates
    digest = hashlib.sha256(student.encode(errors="surrogatepass")).hexdigest()
    return f"{kept[:40]}~{digest[:8]}"

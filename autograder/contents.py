"""Every text that a file holds, however it is wrapped: plain, JSON, a notebook's cells, an archive's members.

For a search that must not be fooled by packaging. What cannot be looked into is reported, not passed over.
"""

from __future__ import annotations

import binascii
import bz2
import contextlib
import io
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

MAX_UNPACKED_BYTES = 256 << 20
MAX_DEPTH = 5

OPAQUE_SUFFIXES = (".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".7z", ".rar", ".zst", ".br", ".lz4")
OPAQUE_MAGIC = (b"\x7fELF", b"MZ\x90", b"7z\xbc\xaf'\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd")
BROKEN = (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error)
# At least one line of code, and what tools wrap over several lines.
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/_-]{40,}\s*)+[A-Za-z0-9+/_-]*={0,2}")


@dataclass(frozen=True)
class Text:
    """One text in a file. `name` is the file's and the way inside: `data.zip!notes.txt`, `a.ipynb!cell 2`."""

    name: str
    text: str


@dataclass(frozen=True)
class Opaque:
    """Something in a file that cannot be searched; `reason` ends the sentence that begins with `name`."""

    name: str
    reason: str


def contents(name: str, data: bytes, depth: int = 0) -> Iterator[Text | Opaque]:
    """All texts in `data`, the content of the file `name`. The same text may come more than once."""
    if name.lower().endswith(OPAQUE_SUFFIXES) or data.startswith(OPAQUE_MAGIC) or _is_bytecode(data):
        yield Opaque(name, "is compiled or packed in a way that cannot be searched.")
        return
    if depth > MAX_DEPTH:
        yield Opaque(name, f"is packed more than {MAX_DEPTH} times over.")
        return
    try:
        for inner, content in _unpacked(name, data):
            yield from contents(inner, content, depth + 1)
    except _TooLarge:
        yield Opaque(name, f"unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB.")
    except RuntimeError as error:  # a password, or a method that Python lacks
        yield Opaque(name, f"cannot be unpacked ({error}).")
    except BROKEN:
        pass  # nobody else can unpack it either; what it holds in plain is searched below
    for match in BASE64.finditer(data):
        yield from contents(f"{name}!base64", _from_base64(match.group()), depth + 1)
    yield from _texts(name, data)


class _TooLarge(Exception):
    """Unpacking would take more memory than is sensible."""


def _unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is packed in `data`, one level down. Wheels, .npz and .pt files are zip archives."""
    file = io.BytesIO(data)
    if zipfile.is_zipfile(io.BytesIO(data)):  # also behind something else, such as a script
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as packed:
                    yield f"{name}!{member.filename}", _read(packed)
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in archive:
                file_in_tar = archive.extractfile(entry) if entry.isfile() else None
                yield f"{name}!{entry.name}", _read(file_in_tar) if file_in_tar else b""
    elif data.startswith(b"BZh"):
        with bz2.open(file) as unpacked:
            yield f"{name}!", _read(unpacked)
    elif data.startswith(b"\xfd7zXZ\0"):
        with lzma.open(file) as unpacked:
            yield f"{name}!", _read(unpacked)
    elif data.startswith((b"\x1f\x8b", b"\x78")):
        unpacker = zlib.decompressobj(47)  # gzip or zlib, whatever follows it
        yield f"{name}!", unpacker.decompress(data, MAX_UNPACKED_BYTES)
        if unpacker.unconsumed_tail:
            raise _TooLarge


def _texts(name: str, data: bytes) -> Iterator[Text]:
    # NULs: a UTF-16 or UTF-32 text, as in NumPy's string arrays, becomes readable without them.
    text = data.replace(b"\0", b"").decode("utf-8", errors="replace")
    yield Text(name, text)
    if name.endswith((".ipynb", ".json")):
        with contextlib.suppress(ValueError, RecursionError):  # no JSON after all: searched as text
            yield from _json_texts(name, json.loads(text))
    if "\\" in text:  # code in a string literal
        yield Text(name, text.replace("\\n", "\n").replace("\\t", "\t").replace("\\", ""))


def _json_texts(name: str, document: Any) -> Iterator[Text]:
    cells = document.get("cells") if isinstance(document, dict) else None
    if isinstance(cells, list):
        for number, cell in enumerate(cells, 1):
            yield Text(f"{name}!cell {number}", "\n".join(_strings(cell)))
    else:
        yield Text(f"{name}!strings", "\n".join(_strings(document)))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield "".join(value)  # a notebook's way to write a text: its lines, each with its newline
            yield "\n".join(value)
        else:
            for item in value:
                yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)


def _from_base64(text: bytes) -> bytes:
    digits = b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    return binascii.a2b_base64(digits[: len(digits) // 4 * 4] + _last_group(digits))


def _last_group(digits: bytes) -> bytes:
    rest = digits[len(digits) // 4 * 4 :]
    return rest.ljust(4, b"=") if len(rest) > 1 else b""


def _read(file: IO[bytes]) -> bytes:
    data = file.read(MAX_UNPACKED_BYTES + 1)
    if len(data) > MAX_UNPACKED_BYTES:
        raise _TooLarge
    return data


def _is_bytecode(data: bytes) -> bool:
    """A .pyc file of any Python, by its magic number's line break and the marshalled code object."""
    return data[2:4] == b"\r\n" and data[16:17] == b"\xe3"

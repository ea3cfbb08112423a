"""Archives read without unpacking anything to disk: zip, tar and tar.gz, by what is in them.

All of a compressed tar is unpacked in memory before its headers are looked at, within the limits: a header
may be as large as a file. Only the usual compression of zip is read: others take memory as a header says.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from autograder.collect.members import Limits, Members, Refused

MAX_PACKED_BYTES = 32 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1 | 0x40 | 0x2000
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error),
    *(EOFError, OSError, ValueError, OverflowError, NotImplementedError, RecursionError, RuntimeError),
)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def read_archive(data: bytes, limits: Limits) -> dict[str, bytes]:
    """The Python files in an archive, by path.

    Refused where it is no such archive or a broken one, is encrypted, goes beyond the limits, or holds
    links, devices, archives, unsafe names or one name twice.
    """
    members = Members(limits, packed=len(data))
    try:
        if data.startswith(b"\x1f\x8b"):
            _read_tar(_gunzipped(data, limits), members)
        elif data[257:262] == b"ustar":
            _read_tar(data, members)
        elif zipfile.is_zipfile(io.BytesIO(data)):
            _read_zip(io.BytesIO(data), members)
        else:
            raise Refused("is no zip, tar or tar.gz.")
    except BROKEN as error:
        raise Refused(f"is a broken archive ({type(error).__name__}).") from None
    return members.files


def read_folder(folder: Path, limits: Limits) -> dict[str, bytes]:
    """The Python files below a folder, by path. Refused as in `read_archive`."""
    members = Members(limits)
    try:
        _read_folder(folder, "", members)
    except (OSError, RecursionError) as error:
        raise Refused(f"cannot be read ({type(error).__name__}).") from None
    return members.files


def read_file(path: Path, limit: int = MAX_PACKED_BYTES) -> bytes:
    """A regular file of at most `limit` bytes. Refused for anything else, symbolic links too."""
    try:
        # the file that is looked at is the one that is read; a named pipe does not block
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise Refused("is a symbolic link.") from None
        raise Refused(f"cannot be read ({(error.strerror or str(error)).lower()}).") from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("is no regular file.")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refused(f"is larger than {limit} bytes.")
    return data


def checked_zip_entry(info: zipfile.ZipInfo) -> None:
    """Refused where an entry of a zip is encrypted, a link or a device, or packed in an unusual way."""
    name = ascii(info.orig_filename[:100])
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        raise Refused(f"is encrypted ({name}).")
    if kind == stat.S_IFLNK:
        raise Refused(f"holds a symbolic link ({name}).")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(f"holds a device or pipe ({name}).")
    if info.compress_type not in _METHODS:
        raise Refused(f"is compressed in an unusual way ({name}); use the usual one (deflate).")


def _read_zip(file: IO[bytes], members: Members) -> None:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            # `filename` is cut at a null byte; what is checked is what stands there
            name = members.enter(info.orig_filename)
            checked_zip_entry(info)
            if not info.is_dir():
                with archive.open(info) as content:
                    members.add(name, content)


def _read_tar(data: bytes, members: Members) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        while (member := archive.next()) is not None:
            name = members.enter(member.name)
            if member.issym():
                raise Refused(f"holds a symbolic link ({name[:100]!a}).")
            if member.islnk():
                raise Refused(f"holds a hard link ({name[:100]!a}).")
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise Refused(f"holds a device, pipe or sparse file ({name[:100]!a}).")
            content = archive.extractfile(member)
            assert content is not None  # it is for what is no regular file
            members.add(name, content)


def _gunzipped(data: bytes, limits: Limits) -> bytes:
    # a tar's headers and padding may be as much again as its files
    most = 2 * limits.total_bytes
    with gzip.open(io.BytesIO(data)) as file:
        unpacked = file.read(most + 1)
    if len(unpacked) > most:
        raise Refused(f"unpacks to more than {limits.total_bytes} bytes.")
    return unpacked


def _read_folder(folder: Path, inside: str, members: Members) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = members.enter(inside + entry.name)
            if entry.is_symlink():
                raise Refused(f"holds a symbolic link ({name[:100]!a}).")
            if entry.is_dir(follow_symlinks=False):
                _read_folder(folder / entry.name, f"{name}/", members)
            elif not entry.is_file(follow_symlinks=False):
                raise Refused(f"holds a device or pipe ({name[:100]!a}).")
            else:
                data = read_file(folder / entry.name, members.limits.total_bytes)
                members.add(name, io.BytesIO(data))

"""Nothing hidden gets out: planted leaks of every kind, in public files and in any wrapping, are refused."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import py_compile
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autograder.course import Course
from autograder.leaks import Leak, find_leaks
from autograder.release import LeakError, release
from tests.small_course import FILES, TELLING, add, write_course_and_engine, write_files


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    return write_course_and_engine(tmp_path, monkeypatch)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "students"


def refused(course: Course, dest: Path) -> list[Leak]:
    """The leaks for which a release is refused, which leaves nothing behind."""
    with pytest.raises(LeakError) as caught:
        release(course, dest)
    assert list(dest.parent.iterdir()) == []
    assert str(caught.value).startswith("nothing was released, it would give away what is hidden:\n  ")
    return caught.value.leaks


# Leaks in the course's public files


def test_an_uncleared_module_is_found(course: Course, dest: Path) -> None:
    add(course, "assignments/means/help.py", FILES["solutions/means/means.py"])
    leaks = refused(course, dest)
    assert {leak.path for leak in leaks} == {"assignments/means/help.py"}
    # the telling lines of the first region, its comment, and the short lines of the last region together
    assert {14, 15, 16, 30} <= {leak.line for leak in leaks}


def test_a_solutions_line_is_found_in_prose_and_in_a_test(course: Course, dest: Path) -> None:
    add(course, "assignments/means/README.md", f"# Means\n\nHint: use `{TELLING}`, you see.\n")
    add(
        course,
        "assignments/means/test_means.py",
        FILES["assignments/means/test_means.py"] + f"\n\n        {TELLING}\n",
    )
    first, second = refused(course, dest)
    what = f"gives away a solution (solutions/means/means.py:14): {TELLING}"
    assert first == Leak("assignments/means/README.md", 3, what)
    assert (second.path, second.line) == ("assignments/means/test_means.py", 13)
    assert str(first) == f"assignments/means/README.md:3: {what}"


def test_another_layout_hides_nothing(course: Course, dest: Path) -> None:
    wrapped = """
    shares   =   torch.where(
        total > 0,
        weights / total,
        torch.zeros_like(weights),
    )  # so
    """
    add(course, "autograder/nowhere.py", wrapped)  # the engine that runs is elsewhere: not released
    release(course, dest)
    add(course, "data/README.md", wrapped)
    with pytest.raises(LeakError) as caught:
        release(course, dest)
    assert [(leak.path, leak.line) for leak in caught.value.leaks] == [("data/README.md", 2)]
    assert (dest / "data/README.md").read_text() == FILES["data/README.md"]


def test_a_hidden_check_is_found_under_another_file_name(course: Course, dest: Path) -> None:
    add(course, "assignments/means/test_more.py", FILES["solutions/means/test_means.py"])
    leaks = refused(course, dest)
    names = {leak.what.rsplit(" ", 1)[1] for leak in leaks if "a hidden check's name" in leak.what}
    assert names == {"test_equal_weights_of_a_single_row", "test_any_weights_agree_with_a_loop"}


def test_a_hidden_check_is_found_under_another_name_of_its_own(course: Course, dest: Path) -> None:
    copy = FILES["solutions/means/test_means.py"].replace("def test_", "def test_really_")
    add(course, "assignments/means/test_more.py", copy)
    # not lines 10 and 11, which the first check shares with a public one: its cases in line 8 give it away
    assert {leak.line for leak in refused(course, dest)} == {8, 17, 18}


def test_a_hidden_check_may_add_cases_to_a_public_one(course: Course, dest: Path) -> None:
    """The same law, word for word, with other cases: what is not public is the cases."""
    shared = "    result = student.weighted_mean(case.x, case.equal_weights)"
    assert shared in FILES["assignments/means/test_means.py"]
    assert shared in FILES["solutions/means/test_means.py"]
    release(course, dest)
    add(course, "assignments/means/README.md", "    @given(case=mean_cases(max_size=1, allow_zero=True))\n")
    with pytest.raises(LeakError, match=r"solutions/means/test_means\.py:8"):
        release(course, dest)


def test_an_oracle_is_found_under_another_name(course: Course, dest: Path) -> None:
    oracle = FILES["solutions/means/oracles.py"].replace("mean_by_loops", "slow_mean")
    add(course, "assignments/means/cases.py", FILES["assignments/means/cases.py"] + "\n\n" + oracle)
    assert [leak.line for leak in refused(course, dest)] == [6, 7]


@pytest.mark.parametrize(
    "text",
    [
        "Mind: Only weights that add up to the number of rows hide this.",
        "(Which sum makes the shares\n  add up to 1?)",
        "one divides by the number of rows instead of the sum of weights",
        "weights / weights.new_full((), float(len(weights)))",
        "    normalised = weights.div(weights.sum().clamp_min(1e-300))",
        "# weights that are all zero would divide zero by zero, and poison the gradient",
    ],
)
def test_hints_mistakes_alternatives_and_comments_are_found(course: Course, dest: Path, text: str) -> None:
    add(course, "assignments/means/README.md", f"# Means\n\n{text}\n")
    assert {leak.line for leak in refused(course, dest)} == {3}


def test_what_is_recorded_as_equivalent_is_found(course: Course, dest: Path) -> None:
    change = {"before": TELLING, "after": TELLING.replace("total > 0", "total != 0")}
    reason = "A sum of weights is never below zero here."
    lines = [
        f"{key} = '{text}'" for key, text in {"exercise": "weighted_mean", **change, "reason": reason}.items()
    ]
    add(course, "solutions/means/equivalents.toml", "\n".join(["[[equivalent]]", *lines]) + "\n")
    add(course, "assignments/means/README.md", f"# Means\n\n    {change['after']}\n\n{reason}\n")
    leaks = refused(course, dest)
    assert {leak.line: "an equivalent's" in leak.what for leak in leaks} == {3: True, 5: True}


def test_short_lines_alone_say_nothing(course: Course, dest: Path) -> None:
    add(
        course,
        "assignments/means/README.md",
        "    total = weights.sum()\n    self.rate = rate\n    return self.mean\n",
    )
    add(course, "assignments/means/extra.py", "import torch\nfrom torch import Tensor\n")
    release(course, dest)


def test_an_uncleared_region_is_found_by_its_markers_alone(course: Course, dest: Path) -> None:
    add(
        course,
        "assignments/means/extra.py",
        "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n",
    )
    assert [leak.line for leak in refused(course, dest)] == [2, 4]


def test_a_hidden_file_of_another_kind_is_found(course: Course, dest: Path) -> None:
    add(course, "solutions/means/golden.npz", b"\x01\x02golden")
    add(course, "data/values.npz", b"\x01\x02golden")
    assert refused(course, dest) == [Leak("data/values.npz", 0, "is a copy of solutions/means/golden.npz.")]


# Leaks in any wrapping


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "source": ["# Means\n"]},
        {"cell_type": "code", "source": ["shares = torch.where(\n", "  total > 0, weights / total,\n",
                                         "  torch.zeros_like(weights))\n"]},
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}}).encode()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/readme.txt", f"\n{TELLING}\n")
    return file.getvalue()


def zipped_twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", zipped())
    return b"#!/bin/sh\n" + file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("inner.txt")
        entry.size = len(TELLING)
        archive.addfile(entry, io.BytesIO(TELLING.encode()))
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, notes=np.array([TELLING, "more"]))
    return file.getvalue()


def bytecode(tmp_path: Path) -> bytes:
    (tmp_path / "m.py").write_text(f"def f(weights, total, torch):\n    {TELLING}\n    return shares\n")
    py_compile.compile(str(tmp_path / "m.py"), str(tmp_path / "m.bin"))
    return (tmp_path / "m.bin").read_bytes()


def encrypted() -> bytes:
    data = bytearray(zipped())
    data[data.index(b"PK\x03\x04") + 6] |= 1  # the flags in the member's header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


PACKED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "notebook": ("a.ipynb", notebook, "a.ipynb!cell 2"),
    "json": ("a.json", lambda: json.dumps({"x": [{"y": f"…\n{TELLING}"}]}).encode(), "a.json"),
    "zip": ("a.npz", zipped, "a.npz!inner/readme.txt"),
    "zip in zip behind a script": ("a.txt", zipped_twice, "a.txt!inner.zip!inner/readme.txt"),
    "npz": ("b.npz", npz, "b.npz!notes.npy"),
    "tar.gz": ("a.txt", tarred, "a.txt!!inner.txt"),
    "gz": ("a.txt", lambda: gzip.compress(TELLING.encode()), "a.txt!"),
    "bz2": ("a.txt", lambda: bz2.compress(TELLING.encode()), "a.txt!"),
    "xz": ("a.txt", lambda: lzma.compress(TELLING.encode()), "a.txt!"),
    "base64": ("a.txt", lambda: b"see:\n" + base64.encodebytes(TELLING.encode()), "a.txt!base64"),
    "base64 of gz": ("a.txt", lambda: base64.b64encode(gzip.compress(TELLING.encode())), "a.txt!base64!"),
    "utf-16": ("a.txt", lambda: TELLING.encode("utf-16"), "a.txt"),
    "latin-1": ("a.txt", lambda: f"né\n{TELLING}".encode("latin-1"), "a.txt"),
    "string literal": ("a.py", lambda: f'HELP = "like so:\\n\\t{TELLING}\\n"'.encode(), "a.py"),
    "windows line ends": ("a.md", lambda: f"# Means\r\n\r\n\t{TELLING}\r\n".encode(), "a.md"),
    "encrypted zip": ("a.npz", encrypted, "a.npz"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKED)
def test_packing_hides_nothing(course: Course, tmp_path: Path, kind: str) -> None:
    name, content, where = PACKED[kind]
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(content())
    leaks = find_leaks(course, tmp_path / "tree")
    assert where in {leak.path for leak in leaks}


def test_bytecode_and_libraries_are_not_released(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "m.txt").write_bytes(bytecode(tmp_path))
    (folder / "fast.so").write_bytes(b"anything")
    leaks = find_leaks(course, folder)
    assert [leak.path for leak in leaks] == ["fast.so", "m.txt"]
    assert all("cannot be searched" in leak.what for leak in leaks)


def test_links_and_hidden_names_are_leaks(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    write_files(folder, {"solutions/readme.txt": "", "data/mistakes.toml": "", "data/equivalents.toml": ""})
    (folder / "link").symlink_to(course.solutions)
    leaks = find_leaks(course, folder)
    assert [leak.path for leak in leaks] == [
        "data/equivalents.toml",
        "data/mistakes.toml",
        "link",
        "solutions",
        "solutions/readme.txt",
    ]


def test_a_bomb_is_not_unpacked(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.contents.MAX_UNPACKED_BYTES", 1 << 20)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.txt").write_bytes(gzip.compress(bytes(2 << 20)))
    (leak,) = find_leaks(course, tmp_path / "tree")
    assert leak == Leak("a.txt", 0, "unpacks to more than 1 MiB.")

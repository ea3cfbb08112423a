"""Results on disk: complete or absent, and none that was earned is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.results import (
    CheckResult,
    DeviceState,
    DeviceVerdict,
    Diagnosis,
    DtypesVerdict,
    ExerciseResult,
    Status,
    UnitResult,
)
from autograder.store.files import file_name
from autograder.store.results import Graded, ResultStore, StoreError

ROOT = Path(__file__).parents[1]
ID = "assignments/toy/test_arith.py::"
CHECKS = (
    CheckResult(f"{ID}test_scales", "scale", Status.FAILED, "scale · scales   0 of 1 point\n  <b>“é”"),
    CheckResult(
        f"{ID}test_works_on_a_gpu_as_on_the_cpu[scale]",
        "scale",
        Status.PASSED,
        verdict=DeviceVerdict(DeviceState.SIMULATED, "a simulated GPU", "advice"),
    ),
    CheckResult(
        f"{ID}test_works_in_every_floating_dtype[scale]",
        "scale",
        Status.PASSED,
        verdict=DtypesVerdict(("float64", "float32")),
    ),
)
RESULT = UnitResult(
    "Zoë 1",
    "toy",
    (ExerciseResult("scale", 3.0, CHECKS, Diagnosis("factor squared", "Look at it.")),),
    ("seccomp",),
    ("a note",),
)
GRADED = Graded(RESULT, "d1", "v1", "2026-11-22T03:00:00+00:00", 1.5)


def test_a_result_comes_back_as_it_was(tmp_path):
    store = ResultStore(tmp_path / "results")
    assert store.get("Zoë 1", "toy") is None
    store.put(GRADED)
    assert store.get("Zoë 1", "toy") == GRADED
    assert list(store.all()) == [GRADED]
    assert store.history("Zoë 1", "toy") == []
    assert UnitResult.from_json(RESULT.to_json()) == RESULT


def test_what_is_replaced_is_kept(tmp_path):
    store = ResultStore(tmp_path)
    versions = [replace(GRADED, version=f"v{i}") for i in range(12)]
    for each in versions:
        store.put(each)
        store.put(each)  # the same again changes nothing
    assert store.get("Zoë 1", "toy") == versions[-1]
    assert store.history("Zoë 1", "toy") == versions[:-1]
    assert list(store.all()) == versions[-1:]


@pytest.mark.parametrize("student", ["../up", "a/b", ".", "..", "CON", "x" * 300, "Zoë", "a b", "%", "-"])
def test_any_name_of_a_student_has_a_file_of_its_own_inside(tmp_path, student):
    store = ResultStore(tmp_path / "results")
    other = replace(GRADED, result=replace(RESULT, student="other"))
    mine = replace(GRADED, result=replace(RESULT, student=student))
    store.put(other)
    store.put(mine)
    assert (store.get(student, "toy"), store.get("other", "toy")) == (mine, other)
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "results/toy"] * 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "result": {}}', "null", "\x00"]
)
def test_a_file_that_holds_something_else_is_told_by_its_name(tmp_path, text):
    store = ResultStore(tmp_path)
    store.put(GRADED)
    [path] = tmp_path.glob("toy/*.json")
    path.write_text(text)
    with pytest.raises(StoreError, match=rf"{path.name} is no stored result .*; move it away and grade"):
        store.get("Zoë 1", "toy")


def test_a_name_that_is_no_utf_8_on_disk_has_a_file_name():
    """A folder's name may be any bytes; those that are no text come as lone surrogates."""
    assert re.fullmatch(r"Zo~[0-9a-f]{8}", file_name(os.fsdecode(b"Zo\xeb")))


def test_where_it_cannot_be_written_what_was_there_stays(tmp_path):
    store = ResultStore(tmp_path)
    store.put(GRADED)
    limited = (
        "import resource, signal, sys; from pathlib import Path; import tests.test_store as t; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "t.ResultStore(Path(sys.argv[1])).put(t.replace(t.GRADED, version='v2'))"
    )
    done = subprocess.run([sys.executable, "-c", limited, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert "StoreError" in done.stderr, done.stderr
    assert "cannot be written: File too large." in done.stderr
    assert list(store.all()) == [GRADED]
    assert [path.name for path in tmp_path.rglob(".*")] == []


def test_killed_at_any_moment_every_file_is_whole(tmp_path):
    """What is written last may be the old or the new, and the history holds each once."""
    writing = (
        "import sys; from pathlib import Path; import tests.test_store as t\n"
        "store = t.ResultStore(Path(sys.argv[1])); print('go', flush=True)\n"
        "for i in range(int(sys.argv[2]), 10**9): store.put(t.replace(t.GRADED, version=str(i)))"
    )
    store, number = ResultStore(tmp_path), 0
    for run in range(10):
        command = [sys.executable, "-c", writing, tmp_path, str(number)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.003 * run)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        last = store.get("Zoë 1", "toy")
        versions = [int(each.version) for each in store.history("Zoë 1", "toy")]
        if last is not None:
            if versions[-1:] == [int(last.version)]:
                versions.pop()  # killed after it was kept and before it was replaced
            versions.append(int(last.version))
            number = versions[-1] + 1
        assert versions == list(range(number))
    assert number > 0

"""The sample class through the real command: everybody comes out as examples/sample_class/README.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "examples/sample_class"
STUDENTS = sorted(folder.name for folder in (SAMPLE / "submitted").iterdir())

FULL = frozenset[str]()
POSITIONS = {"sinusoidal_positions", "LearnedPositions"}
SEQ2SEQ = {"Seq2Seq", "greedy_decode", "train_seq2seq"}
CHENS = {
    *("padding_mask", "causal_mask", "masked_softmax", "scaled_dot_product_attention"),
    *("luong_scores", "sinusoidal_positions"),
}
# What of each student's exercises is worth less than full marks, all others being full.
LOSSES: dict[str, frozenset[str] | set[str]] = {
    "ada": FULL,
    "blaise": FULL,
    "dora": {"causal_mask", "scaled_dot_product_attention", "MultiHeadAttention"},
    "emil": {"MultiHeadAttention", "sinusoidal_positions", "train_seq2seq"},
    "fatima": {
        *("masked_softmax", "scaled_dot_product_attention", "additive_attention", "local_attention"),
        *("MultiHeadAttention", "Seq2Seq", "greedy_decode"),
    },
    "hana": POSITIONS,
    "ivan": {"sinusoidal_positions"},
    "kira": SEQ2SEQ,
    "maria-jose": FULL,
}


@dataclass(frozen=True)
class Run:
    """What the command left: its status and output, the document, and the reports by file name."""

    status: int
    output: str
    document: dict[str, Any]
    reports: dict[str, str]

    def exercises(self, student: str) -> dict[str, dict[str, Any]]:
        [result] = [each for each in self.document["results"] if each["student"] == student]
        return {exercise["name"]: exercise for exercise in result["exercises"]}

    def score(self, student: str) -> float:
        [result] = [each for each in self.document["results"] if each["student"] == student]
        return float(result["score"])

    def endings(self, student: str, *exercises: str) -> set[tuple[str, str]]:
        """How each check of some exercises ended, and the lines below its heading that say why.

        What could not be tried on a GPU is left out.
        """
        found = self.exercises(student)
        return {
            (check["status"], check["message"].partition("\n")[2])
            for exercise in exercises or found
            for check in found[exercise]["checks"]
            if check["status"] != "skipped"
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("sample class")
    files = ["--json", str(folder / "results.json"), "--out", str(folder / "reports")]
    command = [sys.executable, "-m", "autograder", "grade", str(SAMPLE / "submitted"), "--jobs", "2", *files]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert (folder / "results.json").is_file(), done.stdout + done.stderr
    return Run(
        done.returncode,
        done.stdout + done.stderr,
        json.loads((folder / "results.json").read_text()),
        {path.name: path.read_text() for path in (folder / "reports").glob("*.txt")},
    )


def test_everybody_is_graded_and_that_is_status_0(run: Run) -> None:
    assert run.status == 0, run.output
    assert [result["student"] for result in run.document["results"]] == STUDENTS
    assert run.document["not_graded"] == []
    assert "class · a3_attention" in run.output
    for student in STUDENTS:
        assert re.search(rf"│ {student} +│ +[\d.]+ of 100 │", run.output), student


def test_every_student_has_a_line_in_the_readme() -> None:
    told = re.findall(r"^\| ([a-z][a-z-]*) \|", (SAMPLE / "README.md").read_text(), re.MULTILINE)
    assert told == ["student", *STUDENTS]


@pytest.mark.parametrize("student", LOSSES)
def test_points_are_lost_where_the_mistake_is_and_nowhere_else(run: Run, student: str) -> None:
    lost = {
        name for name, exercise in run.exercises(student).items() if exercise["score"] < exercise["max_score"]
    }
    assert lost == set(LOSSES[student])


def test_half_done_work_earns_what_is_done(run: Run) -> None:
    exercises = run.exercises("chen")
    assert {name for name, each in exercises.items() if each["score"] == each["max_score"]} == CHENS
    assert {name for name, each in exercises.items() if each["score"] == 0} == exercises.keys() - CHENS
    assert_not_written(run, "chen", exercises.keys() - CHENS)


def test_the_untouched_stub_earns_nothing(run: Run) -> None:
    assert run.score("goran") == 0
    assert_not_written(run, "goran", run.exercises("goran").keys())


def assert_not_written(run: Run, student: str, exercises: Any) -> None:
    endings = run.endings(student, *exercises)
    assert {status for status, _ in endings} == {"failed"}
    for _, message in endings:
        assert re.search(r"not written +raises NotImplementedError, \w+\.py:\d+ in \w+", message), message


def test_a_syntax_error_costs_its_module_and_names_the_line(run: Run) -> None:
    [(status, message)] = run.endings("hana", *POSITIONS)
    assert status == "error"
    assert re.search(r"syntax error +expected ':', positions\.py:20\b", message)
    assert {run.exercises("hana")[name]["score"] for name in POSITIONS} == {0}


def test_an_endless_loop_costs_its_exercise(run: Run) -> None:
    endings = run.endings("ivan", "sinusoidal_positions")
    assert {status for status, _ in endings} == {"timeout"}
    assert all("s of CPU time" in message for _, message in endings)
    assert run.exercises("ivan")["sinusoidal_positions"]["score"] == 0


def test_a_missing_file_costs_its_module(run: Run) -> None:
    [(status, message)] = run.endings("kira", *SEQ2SEQ)
    assert status == "error"
    assert "seq2seq.py is missing" in message
    assert {run.exercises("kira")[name]["score"] for name in SEQ2SEQ} == {0}


def test_the_attack_gains_nothing(run: Run) -> None:
    """Constant answers pass a few laws that hold of them; nothing else may come of it."""
    assert run.score("jun") <= 5, {name: each["score"] for name, each in run.exercises("jun").items()}
    assert not any(each["score"] == each["max_score"] for each in run.exercises("jun").values())
    assert "crashed" in {status for status, _ in run.endings("jun")}
    assert run.score("maria-jose") == 100  # graded in one of the same two processes, later


def test_every_student_was_graded_in_the_sandbox(run: Run) -> None:
    for result in run.document["results"]:
        assert "seccomp" in result["sandbox"], result["student"]


def test_every_student_has_a_report(run: Run) -> None:
    assert run.reports.keys() == {f"{student}.a3_attention.txt" for student in STUDENTS}
    for result in run.document["results"]:
        report = run.reports[f"{result['student']}.a3_attention.txt"]
        assert report.startswith(f"{result['student']} · a3_attention   ")
        for exercise in result["exercises"]:
            assert exercise["name"] in report
            for check in exercise["checks"]:
                assert check["message"] in report


def test_nothing_in_a_report_can_steer_a_terminal(run: Run) -> None:
    for name, report in run.reports.items():
        assert len(report) < 100_000, name
        odd = {c for c in report if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert odd == set(), name

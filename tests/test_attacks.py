"""Hostile submissions, graded as one class among honest ones.

An attack gains no point that it did not earn, reads no secret, reaches nobody, leaves nothing behind, costs
nobody else a point, and does not stop the run. What each of `attacks/` earned stands here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.worker import reached
from autograder.worker.client import TimeLimit
from tests.toy import (
    FULL,
    HONEST,
    copy_course,
    grade,
    messages,
    scores,
    session_of,
    statuses,
    submission,
    write_submission,
)

if sys.platform != "linux":
    pytest.skip("the sandbox needs Linux", allow_module_level=True)

ROOT = Path(__file__).parents[1]
ATTACKS = Path(__file__).parent / "attacks"
SECRETS = {where: f"CANARY-{where}-{uuid.uuid4().hex}" for where in ("file", "environment", "memory")}

NOTHING = dict.fromkeys(FULL, 0.0)
ALL = FULL
NO_NOISE = {**FULL, "noise": 0.0}  # `scale` is honest
NO_ARITH = {**FULL, "scale": 0.0, "noise": 0.0}
NO_LAYERS = {**FULL, "Affine": 0.0, "train": 0.0}

# What each attack implements honestly, and so may score.
EARNED = {
    "arith/read_files": NO_NOISE,
    "arith/environment": NO_NOISE,
    "arith/memory": NO_NOISE,
    "arith/network": NO_NOISE,
    "arith/processes": NO_NOISE,
    "arith/write_files": NO_NOISE,
    "arith/descriptors": NO_NOISE,
    "arith/always_equal": NO_ARITH,
    "arith/patch_libraries": NO_ARITH,
    "arith/patch_builtins": NO_ARITH,
    "arith/patch_worker": NOTHING,  # one process a submission: the honest `layers` is answered for as well
    "arith/forge_replies": NO_ARITH,
    "arith/forge_at_import": NO_ARITH,
    "arith/forge_values": NOTHING,
    "arith/forge_generator": NO_NOISE,
    "arith/forge_gradients": {**FULL, "scale": 2.0, "Affine": 0.0},
    "arith/forge_callbacks": NO_ARITH,
    "arith/garbage": NO_ARITH,
    "arith/exits": NO_ARITH,
    "arith/exit_at_import": NO_ARITH,
    "arith/sys_exit_at_import": NO_ARITH,
    "arith/atexit_hook": ALL,
    "arith/evil_exceptions": NO_ARITH,
    "arith/deep_tracebacks": NO_NOISE,
    "arith/stack_overflow": NO_NOISE,
    "arith/segfault": NO_NOISE,
    "arith/close_the_socket": NO_NOISE,
    "arith/import_hooks": ALL,
    "arith/pickles": NO_NOISE,
    "arith/threads": ALL,
    "arith/giant_results": NO_NOISE,
    "arith/memory_hog": NO_NOISE,
    "arith/endless_loop": NO_NOISE,
    "arith/not_finite": NO_ARITH,
    "arith/floods": NO_NOISE,
    "arith/zeroed_arguments": {**FULL, "scale": 2.0},
    "arith/any_name": NO_ARITH,
    "arith/odd_types": NO_NOISE,
    "layers/odd_names": NO_LAYERS,
    "layers/many_parameters": NO_LAYERS,
    "layers/changing_state": NO_LAYERS,
    "layers/lying_module": NO_LAYERS,
    "planted files": ALL,
    "shadowed libraries": ALL,
}
# These attack from their import on, and tell in `noise` what came of it: how much they tried, at least.
TELLING = {
    "read_files": 30,
    "environment": 8,
    "memory": 5,
    "network": 12,
    "processes": 60,
    "write_files": 15,
    "descriptors": 6,
}

# Files that a grader must not take for its own. Whoever runs one leaves a mark.
LEAVE_A_MARK = "import pathlib\n\npathlib.Path({!r}).touch()\n"
PLANTED = (
    "conftest.py",
    "sitecustomize.py",
    "usercustomize.py",
    "test_arith.py",
    "test_layers.py",
    "__init__.py",
    "setup.py",
)
INERT = {
    "evil.pth": "import os; open({!r}, 'w')\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "unit.toml": 'title = "Mine"\nmodules = ["arith"]\nforbidden = []\n',
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--version"\n',
}
SHADOWED = (
    "torch",
    "pytest",
    "hypothesis",
    "autograder",
    "msgspec",
    "safetensors",
    "typing",
    "json",
    "struct",
    "socket",
    "os",
)


@dataclass
class Listeners:
    """Where an attack could send what it found."""

    tcp: socket.socket
    udp: socket.socket
    abstract: socket.socket

    @classmethod
    def open(cls) -> Listeners:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0autograder-{uuid.uuid4().hex}")
        abstract.listen()
        for listener in (tcp, udp, abstract):
            listener.setblocking(False)
        return cls(tcp, udp, abstract)

    def reached(self) -> list[str]:
        def hears(listener: socket.socket) -> bool:
            try:
                listener.recv(1) if listener is self.udp else listener.accept()
            except BlockingIOError:
                return False
            return True

        return [name for name in ("tcp", "udp", "abstract") if hears(getattr(self, name))]

    def close(self) -> None:
        for listener in (self.tcp, self.udp, self.abstract):
            listener.close()


@dataclass
class World:
    """What the attacks are after, and what came of them."""

    folder: Path
    marker: str
    listeners: Listeners

    def __post_init__(self) -> None:
        self.course = copy_course(self.folder / "course", seconds=1)
        self.solutions = self.course.root / "solutions/toy"
        (self.solutions / "secret.txt").write_text(SECRETS["file"])
        (self.solutions / "secret_solution.py").write_text(f"SECRET = {SECRETS['file']!r}\n")
        hidden = self.solutions / "test_layers.py"
        hidden.write_text(hidden.read_text() + f"\n\nSECRET = {SECRETS['memory']!r}\n")
        for path in self.solutions.rglob("*"):
            path.chmod(0o666)
        self.drop = self.folder / "drop"
        self.drop.mkdir()
        for path in (self.drop, self.solutions, self.folder, *self.folder.parents[:2]):
            path.chmod(0o777)  # nothing but the sandbox is in the way
        self.places = [str(self.drop), str(self.solutions), "/tmp", "/dev/shm", "/var/tmp", "."]

    def target(self) -> str:
        files = [str(self.solutions / name) for name in ("secret.txt", "arith.py", "test_layers.py")]
        return (
            f"FILES = {files!r}\nSOLUTIONS = {str(self.solutions)!r}\nPLACES = {self.places!r}\n"
            f"MARKER = {self.marker!r}\nTCP_PORT = {self.listeners.tcp.getsockname()[1]}\n"
            f"UDP_PORT = {self.listeners.udp.getsockname()[1]}\n"
            f"ABSTRACT = {self.listeners.abstract.getsockname().decode()!r}\n\n\n"
            f"def marker(what):\n    return {str(self.drop)!r} + '/' + MARKER + what\n"
        )

    def sources(self, attack: str) -> dict[str, str]:
        """The modules of an attack of `attacks/`."""
        module, _, name = attack.partition("/")
        return {
            **HONEST,
            "honest": "\n\n".join(HONEST.values()),
            "loot": (ATTACKS / "loot.py").read_text(),
            "target": self.target(),
            module: (ATTACKS / module / f"{name}.py").read_text(),
        }

    def write(self, attack: str, folder: Path) -> None:
        if attack == "planted files":
            write_submission(folder)
            for name in PLANTED:
                (folder / name).write_text(LEAVE_A_MARK.format(str(self.drop / f"{self.marker}-{name}")))
            for name, text in INERT.items():
                (folder / name).write_text(text.format(str(self.drop / f"{self.marker}-{name}")))
        elif attack == "shadowed libraries":
            text = LEAVE_A_MARK.format(str(self.drop / f"{self.marker}-shadow"))
            write_submission(folder, **dict.fromkeys(SHADOWED, text))
        else:
            write_submission(folder, **self.sources(attack))

    def left_behind(self) -> list[str]:
        """Files with the marker in their name, wherever an attack may have tried to leave one."""
        return [name for place in self.places for name in os.listdir(place) if self.marker in name]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"), f"mark-{uuid.uuid4().hex}", Listeners.open())
    yield made
    made.listeners.close()
    for place in made.places:
        for path in Path(place).glob(f"*{made.marker}*"):  # what the attacks did without a sandbox
            path.unlink()


# Runs a command, and tells in its last line what outlived it: orphans become children of this process.
WATCHED = """
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
done = subprocess.run(sys.argv[1:])
left = []
for _ in range(100):
    left = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    if not left:
        break
    time.sleep(0.05)  # those that were killed, and not yet buried
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                break
        except ChildProcessError:
            break
print(f"\\noutlived by {len(left)} processes, status {done.returncode}")
"""


@dataclass
class Run:
    """One run of `autograder grade` over the whole class."""

    output: str
    results: dict[str, dict[str, Any]]
    written: str


def student_of(number: int, attack: str) -> str:
    return f"{number:02}-{attack.replace('/', '-').replace(' ', '-')}"


@pytest.fixture(scope="module")
def run(world: World) -> Run:
    """Every attack, each followed by an honest submission; then, as the students say, all is graded."""
    submitted = world.folder / "submitted"
    write_submission(submitted / "00-honest" / "toy")
    for number, attack in enumerate(EARNED, 1):
        world.write(attack, submitted / student_of(number, attack) / "toy")
        write_submission(submitted / f"{number:02}-then-honest" / "toy")
    out, json_file = world.folder / "reports", world.folder / "results.json"
    command = [
        sys.executable,
        "-m",
        "autograder",
        "grade",
        str(submitted),
        "--json",
        str(json_file),
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *command],
        cwd=world.course.root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "AUTOGRADER_TOKEN": SECRETS["environment"]},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=400,
    )
    assert json_file.exists(), done.stderr
    reports = [path.read_text() for path in sorted(out.rglob("*")) if path.is_file()]
    results = {result["student"]: result for result in json.loads(json_file.read_text())["results"]}
    return Run(done.stdout + done.stderr, results, "\n".join([json_file.read_text(), *reports]))


def test_the_run_goes_through(run):
    assert "outlived by 0 processes, status 0" in run.output
    assert len(run.results) == 1 + 2 * len(EARNED)


@pytest.mark.parametrize(("number", "attack"), list(enumerate(EARNED, 1)), ids=list(EARNED))
def test_an_attack_scores_what_it_earned(run, number, attack):
    assert scores(run.results[student_of(number, attack)]) == EARNED[attack]


def test_honest_submissions_keep_full_marks(run):
    honest = {
        student: scores(result) for student, result in run.results.items() if student.endswith("honest")
    }
    assert {student: score for student, score in honest.items() if score != FULL} == {}
    assert len(honest) == 1 + len(EARNED)


@pytest.mark.parametrize("name", TELLING)
def test_every_attempt_is_refused(run, name):
    [result] = [result for student, result in run.results.items() if student.endswith(f"arith-{name}")]
    told = messages(result, "noise")
    assert "DONE" not in told
    assert int(told.partition(" attempts.")[0].rpartition("Loot: ")[2]) >= TELLING[name], told


def test_no_secret_gets_out(run):
    for secret in (*SECRETS.values(), "CANARY"):
        assert secret not in run.written
        assert secret not in run.output


def test_nobody_is_reached_and_nothing_is_left(run, world):
    assert world.listeners.reached() == []
    assert world.left_behind() == []
    assert (world.solutions / "secret.txt").read_text() == SECRETS["file"]


def test_nothing_that_drives_a_terminal_gets_through(run):
    for text in (run.output, run.written):
        assert [c for c in text if not c.isprintable() and c != "\n"] == []


def test_messages_are_short(run):
    lengths = [
        len(check["message"]) for r in run.results.values() for e in r["exercises"] for check in e["checks"]
    ]
    assert max(lengths) < 25_000  # 6000 characters, each of which may be written as an escape


def test_the_kinds_of_failures_are_told_apart(run):
    def found(name: str, exercise: str) -> set[str]:
        [result] = [result for student, result in run.results.items() if student.endswith(f"-{name}")]
        return set(statuses(result, exercise))

    assert found("arith-endless_loop", "noise") == {"timeout"}
    assert found("arith-segfault", "noise") == {"crashed"}
    assert found("arith-close_the_socket", "noise") == {"crashed"}
    assert found("arith-garbage", "scale") == {"crashed"}
    assert found("arith-forge_callbacks", "noise") == {"crashed"}
    assert found("arith-sys_exit_at_import", "scale") <= {"failed", "error"}
    assert found("arith-memory_hog", "noise") == {"failed"}


# ------------------------------------------------------------------------------ without the sandbox


def test_the_same_attempts_succeed_where_nothing_is_locked(tmp_path):
    """Or the tests above would prove nothing."""
    world = World(tmp_path, f"mark-{uuid.uuid4().hex}", Listeners.open())
    world.places = [str(world.drop)]
    attacks = (
        "arith/read_files",
        "arith/network",
        "arith/write_files",
    )  # the last one removes the others' loot
    with session_of(world.course, sandboxed=False) as session:
        told = {a: messages(session.grade(submission(**world.sources(a))), "noise") for a in attacks}
    assert all("DONE" in text for text in told.values()), told
    assert SECRETS["file"] in told["arith/read_files"]
    assert world.listeners.reached() == ["tcp", "udp", "abstract"]
    assert world.left_behind() != []
    assert not world.solutions.exists()
    world.listeners.close()


# ------------------------------------------------------------------------------ attacks on the clock


SLEEPING = "import time\nfrom honest import scale\n\n\ndef noise(n, generator):\n    time.sleep(1000)\n"
SLEEPING_AT_IMPORT = "import time\n\ntime.sleep(1000)\n"
SPINNING_AT_IMPORT = "while True:\n    pass\n"
LORIS = """
import os
import time

from honest import scale


def noise(n, generator):
    for byte in b"AGW1" + (100).to_bytes(4, "little") + bytes(8) + b"{" * 100:
        os.write(3, bytes([byte]))
        time.sleep(0.1)
"""


@pytest.fixture
def short_limits(monkeypatch):
    monkeypatch.setattr(TimeLimit, "wall", property(lambda self: 1.5))
    monkeypatch.setattr(reached, "IMPORT_LIMIT", TimeLimit(cpu=0.5))


def test_who_waits_loses_his_checks_and_nobody_elses(world, short_limits):
    honest = {"honest": "\n\n".join(HONEST.values())}
    slow = {
        "sleeping": (SLEEPING, NO_NOISE),
        "sleeping at import": (SLEEPING_AT_IMPORT, NO_ARITH),
        "spinning at import": (SPINNING_AT_IMPORT, NO_ARITH),
        "slow loris": (LORIS, NO_NOISE),
    }
    results = grade(
        world.course,
        [
            each
            for name, (arith, _) in slow.items()
            for each in (submission(name, arith=arith, **honest), submission())
        ],
    )
    for (name, (_, earned)), attack, after in zip(slow.items(), results[::2], results[1::2], strict=True):
        assert scores(attack) == earned, name
        assert "timeout" in statuses(attack, "noise"), name
        assert scores(after) == FULL, name


def test_a_submission_may_not_keep_its_grader_for_ever(world, monkeypatch):
    monkeypatch.setattr(reached, "SUBMISSION_SECONDS", 1.0)
    dawdling = HONEST["arith"].replace("    return", "    import time\n    time.sleep(0.3)\n    return")
    slow, after = grade(world.course, [submission(arith=dawdling), submission()])
    assert statuses(slow, "train") == ["timeout"]
    assert "all checks of a submission" in messages(slow, "train")
    assert scores(after) == FULL

"""The sandbox: what a locked worker cannot do, what it still can, and what is said of a missing layer."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograder import sandbox
from autograder.sandbox import Layer, SandboxError, seccomp
from autograder.sandbox import probe as probe_sandbox

if sys.platform != "linux":
    pytest.skip("the sandbox needs Linux", allow_module_level=True)

from tests.sandbox_attacks import ATTACKS, MODES, NO_CONTROL, REFUSALS, SECRET

ROOT = Path(__file__).parents[1]


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own: the threads of pytest and its plugins must not be forked."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module", params=MODES)
def came_of(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What came of each attack, `locked` and `free`, and the mode: how the worker was started."""
    if request.param == "throw-away uid" and not sandbox.throwaway_uids():
        pytest.skip("only root can give a worker another uid")
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not started as root")
    done = run_python("-m", "tests.sandbox_attacks", request.param, AUTOGRADER_SECRET=SECRET)
    assert done.returncode == 0, done.stderr
    return {"mode": request.param, **json.loads(done.stdout)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_locked_worker_is_refused(came_of, attack):
    refusal = REFUSALS.get(attack, "EPERM")
    assert came_of["locked"][attack] == refusal
    if attack not in NO_CONTROL:
        assert came_of["free"][attack] != refusal, (
            "the attack fails without the lock-down too: it proves nothing"
        )


def test_a_worker_keeps_one_descriptor_beside_dev_null(came_of):
    assert came_of["locked"]["descriptors"] == "[0, 1, 2, 3]"
    assert came_of["free"]["descriptors"] != "[0, 1, 2, 3]"


def test_nothing_is_left_of_the_environment(came_of):
    assert came_of["locked"]["environment"] == "[]"
    assert came_of["free"]["environment"] == "['os.environ', 'posix.environ', 'getenv', 'stack']"


def test_a_worker_of_root_has_a_throwaway_uid_and_no_other_group(came_of):
    if came_of["mode"] == "throw-away uid":
        assert came_of["locked"]["ids"] == f"[{sandbox.throwaway_uids()[0]}]"
        assert came_of["free"]["ids"] == "[0]"


def test_a_worker_can_talk_through_the_kept_descriptor_and_start_a_thread(came_of):
    assert came_of["locked"]["talk"] == "sent, written"
    assert came_of["locked"]["one thread"] == "done"


def test_memory_is_limited(came_of):
    assert (came_of["locked"]["too much memory"], came_of["free"]["too much memory"]) == ("ENOMEM", "done")


def test_cpu_time_is_limited(came_of):
    assert came_of["locked"]["too much time"] == f"ended with {-signal.SIGXCPU}"
    assert came_of["free"]["too much time"] == "done"


def test_threads_are_limited_where_the_worker_has_a_uid_of_its_own(came_of):
    assert came_of["free"]["too many threads"] == "done"
    if came_of["mode"] == "throw-away uid":
        assert came_of["locked"]["too many threads"] == "RuntimeError"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another architecture has other entries")
@pytest.mark.parametrize("entry", ["x32", "32 bit"])
def test_a_system_call_of_another_architecture_kills(came_of, entry):
    killed = f"ended with {-signal.SIGSYS}"
    assert came_of["locked"][entry] == killed
    assert came_of["free"][entry] != killed


TORCH_IN_A_LOCKED_WORKER = """
import os, threading
import torch
torch.set_num_threads(1)
import torch._dynamo, torch._subclasses.schema_check_mode, torch.fx.experimental.symbolic_shapes
from autograder.sandbox import Limits, lock, prepare, throwaway_uids

def train(model, loss):
    optimizer = torch.optim.Adam(model.parameters())
    loss().backward()
    optimizer.step()

def work():
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.softmax(x @ x.transpose(-2, -1), -1)
    torch.autograd.grad([weights @ x], [x], [torch.ones(2, 5, 8)])
    torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True).sum().backward()
    for model in (torch.nn.LSTM(8, 4, bidirectional=True), torch.nn.GRU(8, 4)):
        train(model, lambda: model(x)[0].sum())
    attention = torch.nn.MultiheadAttention(8, 2)
    train(attention, lambda: attention(x, x, x)[0].sum())
    images = x.expand(3, 2, 5, 8)
    for convolution, image in ((torch.nn.Conv1d(8, 4, 3), x.mT), (torch.nn.Conv2d(2, 8, 3), images)):
        train(convolution, lambda: convolution(image).square().sum())
    torch.linalg.svd(x.detach()), torch.linalg.solve(torch.eye(3), torch.ones(3)), torch.fft.fft(x)
    torch.func.vmap(torch.func.grad(lambda row: row.square().sum()))(torch.ones(3, 4))
    assert torch.autograd.gradcheck(torch.sin, torch.ones(3, dtype=torch.double, requires_grad=True))
    thread = threading.Thread(target=torch.ones(300, 300).matmul, args=(torch.ones(300, 300),))
    thread.start(), thread.join()
    assert torch.get_num_threads() == 1 and "grad_fn" in repr(x.sum())

prepared, uids = prepare(), throwaway_uids()
reader, writer = os.pipe()
if os.fork() == 0:
    try:
        lock(prepared, Limits(), writer, uids[0] if uids else None)
        try:
            os.stat("/")
        except PermissionError:
            work()
            os.write(3, b"locked, and torch works")
    except BaseException as error:
        os.write(3, repr(error).encode())
    finally:
        os._exit(0)
os.close(writer)
print(os.read(reader, 10000).decode())
"""


def test_torch_works_in_a_locked_worker():
    done = run_python("-c", TORCH_IN_A_LOCKED_WORKER)
    assert (done.stdout, done.stderr) == ("locked, and torch works\n", "")


# Namespaces. `{}` is what the process inside does; fd 1 shows when it has ended.
IN_A_PID_NAMESPACE = """
import os, signal, socket, sys, time
from autograder.sandbox import enter_namespaces, enter_pid_namespace, kernel
if {drop_root} and os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
names = enter_namespaces()
if not enter_pid_namespace():
    sys.exit("no namespaces here")
{act}
"""


def in_pid_namespace(act: str, *, drop_root: bool = False) -> subprocess.Popen[str]:
    program = IN_A_PID_NAMESPACE.format(act=act, drop_root=drop_root)
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=-1, stderr=-1, text=True)


def needs_namespaces(stderr: str) -> None:
    if "no namespaces here" in stderr:
        pytest.skip("the kernel refuses a PID namespace")


@pytest.mark.parametrize("drop_root", [False, True], ids=["as we are", "not root"])
def test_the_process_in_the_namespaces_is_alone(drop_root):
    look = "print(os.getpid(), [name for _, name in socket.if_nameindex()], *names, flush=True)"
    inside = in_pid_namespace(look, drop_root=drop_root)
    stdout, stderr = inside.communicate(timeout=60)
    needs_namespaces(stderr)
    user = "user " if drop_root or os.geteuid() != 0 else ""
    assert stdout == f"1 ['lo'] {user}net ipc uts\n", stderr


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("sys.exit(0)", 0),
        ("os._exit(7)", 7),
        (
            "os.kill(os.getpid(), signal.SIGKILL), time.sleep(0.1), os._exit(3)",
            3,
        ),  # process 1 cannot be killed so
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
    ],
)
def test_the_launcher_ends_as_the_process_in_the_namespace_does(act, code):
    inside = in_pid_namespace(act)
    _, stderr = inside.communicate(timeout=60)
    needs_namespaces(stderr)
    assert inside.returncode == code, stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_kills_the_launcher_kills_all_within(number):
    inside = in_pid_namespace("os.fork(), print('up', flush=True), time.sleep(300)")
    assert inside.stdout is not None
    if not inside.stdout.readline():
        needs_namespaces(inside.communicate()[1])
    inside.send_signal(number)
    inside.communicate(timeout=30)  # the output ends when nobody holds it any more
    assert inside.returncode == -number


# What is said, and what is never passed over.


def test_probe_finds_what_holds_here():
    found = probe_sandbox()
    assert [status.layer for status in found] == list(Layer)
    optional = {Layer.UID, Layer.LANDLOCK, Layer.NAMESPACES}
    assert [s for s in found if not s.holds and s.layer not in optional] == []
    assert all(status.remedy for status in found if not status.holds)


@pytest.mark.parametrize(
    ("target", "layers"),
    [
        ("probe.lock", set(Layer) - {Layer.RLIMITS, Layer.LANDLOCK, Layer.NAMESPACES}),
        ("limits.apply", {Layer.RLIMITS}),
        ("landlock.restrict_self", {Layer.LANDLOCK}),
    ],
)
def test_probe_notices_a_layer_that_does_nothing(monkeypatch, target, layers):
    before = {status.layer for status in probe_sandbox() if status.holds}
    module, function = target.split(".")
    monkeypatch.setattr(sys.modules[f"autograder.sandbox.{module}"], function, lambda *_, **__: None)
    after = {status.layer for status in probe_sandbox() if status.holds}
    assert before - after == layers & before


def test_without_pyseccomp_nothing_is_prepared_and_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    with pytest.raises(SandboxError, match="pyseccomp is missing: install"):
        sandbox.prepare()
    [status] = [status for status in probe_sandbox() if status.layer == Layer.SECCOMP]
    assert not status.holds
    assert "install" in status.remedy


LOCK_THAT_FAILS = """
import os, threading, time
from autograder.sandbox import Limits, Prepared, SandboxError, lock, prepare

class BrokenFilter:
    def load(self):
        raise OSError(22, "Invalid argument")

def start_thread():
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

reader, writer = (os.dup(descriptor) for descriptor in os.pipe())
os.dup2(writer, 3)  # there it stays, whether or not lock() comes so far
if os.fork() == 0:
    try:
        {act}
    except SandboxError as error:
        os.write(3, str(error).encode())
    finally:
        os._exit(0)
os.close(writer), os.closerange(3, 5)
print(os.read(reader, 1000).decode())
"""


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("lock(Prepared(BrokenFilter(), 0), Limits(), 3, None)", "seccomp: [Errno 22] Invalid argument"),
        ("start_thread(); lock(prepare(), Limits(), 3, None)", "in a process with one thread"),
    ],
)
def test_a_layer_that_cannot_be_had_is_an_error(act, message):
    done = run_python("-c", LOCK_THAT_FAILS.format(act=act))
    assert message in done.stdout, done.stderr


def test_the_filter_knows_every_name_on_every_supported_architecture():
    library = pytest.importorskip("pyseccomp")
    names = [*seccomp.ALLOWED, *(name for name, _ in seccomp.CONDITIONAL), *seccomp.NOT_IMPLEMENTED]
    for architecture in (library.Arch.X86_64, library.Arch.AARCH64):
        assert [name for name in names if library.resolve_syscall(architecture, name) == -1] == []


def test_the_package_imports_where_there_is_no_linux():
    done = run_python(
        "-c",
        "import sys; sys.platform = 'win32'\n"
        "sys.modules.update(dict.fromkeys(('fcntl', 'resource', 'posix')))\n"
        "from autograder import sandbox\n"
        "print(any(s.holds for s in sandbox.probe()), sandbox.enter_namespaces(), 'torch' in sys.modules)",
    )
    assert (done.stdout, done.stderr) == ("False () False\n", "")

"""Attacks on the machine from inside a worker: functions that raise when they are refused.

`python -m tests.sandbox_attacks MODE` forks a child for every attack, locked and free, and prints, as
JSON, what came of it. It is a process of its own: the threads of pytest and its plugins must not be forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import functools
import json
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from autograder.sandbox import Limits, SandboxError, kernel, lock, prepare, throwaway_uids

MODES = ("root", "throw-away uid", "not root")
NOBODY = 65534
SECRET = "a token of the grader"
LIMITS = Limits(memory_bytes=1 << 30, cpu_seconds=20, threads=3, open_files=16)
AT_FDCWD = -100
Attack = Callable[[], object]

# Set by main, and inherited by the children.
scratch = Path()  # where a free attack may do its damage
first_environment = range(0)  # the addresses that the kernel wrote our environment to
int80_getpid = 0  # the address of machine code


def raw(name: str, *arguments: int | bytes | None) -> Attack:
    """A system call by name, with neither Python nor libc in between."""

    def attack() -> object:
        import pyseccomp

        return kernel.syscall(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name), *arguments)

    return attack


def start_process() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def connect(family: int, kind: int, address: tuple[str, int] | str) -> None:
    # Nobody listens there: a refused connection was out.
    with socket.socket(family, kind) as connection, contextlib.suppress(ConnectionRefusedError):
        connection.connect(address)


def bind() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


def use_kept_socket(use: Callable[[socket.socket], object]) -> None:
    kept = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=3)
    try:
        use(kept)
    finally:
        kept.detach()  # or it would be closed with the object


def clone_process() -> None:
    if raw("clone", signal.SIGCHLD, 0, 0, 0, 0)() == 0:
        os._exit(0)


def read_memory_of_parent() -> object:
    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    buffer = ctypes.create_string_buffer(16)
    here, there = bytes(Vector(ctypes.addressof(buffer), 16)), bytes(Vector(id(SECRET), 16))
    return raw("process_vm_readv", os.getppid(), here, 1, there, 1, 0)()


def raise_own_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def trace_parent() -> object:
    seize = 0x4206  # unlike PTRACE_ATTACH it does not stop the victim, and it ends with the attacker
    return raw("ptrace", seize, os.getppid(), 0, 0)()


FILES: Mapping[str, Attack] = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "read /proc/self/maps": lambda: Path("/proc/self/maps").read_bytes(),
    "read the parent's environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "list a folder": lambda: os.listdir("/"),
    "stat": lambda: os.stat("/etc/passwd"),
    "lstat": lambda: os.lstat("/etc/passwd"),
    "access": raw("faccessat", AT_FDCWD, b"/", 0, 0),
    "statfs": lambda: os.statvfs("/"),
    "readlink": lambda: os.readlink("/proc/self/exe"),
    "getcwd": os.getcwd,
    "chdir": lambda: os.chdir("/"),
    "chmod": lambda: os.chmod(scratch / "target", 0o777),
    "utime": lambda: os.utime(scratch / "target"),
    "truncate": lambda: os.truncate(scratch / "target", 1),
    "getxattr": lambda: os.listxattr(scratch / "target"),
    "symlink": lambda: os.symlink("/etc/passwd", scratch / f"symlink{os.getpid()}"),
    "link": lambda: os.link(scratch / "target", scratch / f"link{os.getpid()}"),
    "rename": lambda: os.rename(scratch / "renamed", scratch / f"renamed{os.getpid()}"),
    "unlink": lambda: os.unlink(scratch / "unlinked"),
    "mkdir": lambda: os.mkdir(scratch / f"folder{os.getpid()}"),
    "mknod": lambda: os.mkfifo(scratch / f"fifo{os.getpid()}"),
    "fill the disk": lambda: (scratch / f"filled{os.getpid()}").write_bytes(bytes(1 << 20)),
    "fill /dev/shm": lambda: os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR),
    "memfd_create": lambda: os.memfd_create("x"),
    "import from disk": lambda: __import__("planted"),
    "inotify": raw("inotify_init1", 0),
}

NETWORK: Mapping[str, Attack] = {
    "TCP": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 9)),
    "UDP": lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
    "abstract socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0autograder-nobody"),
    "listen": bind,
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "socketpair": socket.socketpair,
    "pass a descriptor": lambda: use_kept_socket(lambda kept: socket.send_fds(kept, [b"x"], [0])),
    "receive descriptors": lambda: use_kept_socket(lambda kept: kept.recvmsg(1, 64, socket.MSG_DONTWAIT)),
    "io_uring": raw("io_uring_setup", 4, bytes(200)),
}

PROCESSES: Mapping[str, Attack] = {
    "fork": start_process,
    "vfork and exec": lambda: subprocess.run(["/bin/true"], check=True),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "clone without CLONE_THREAD": clone_process,
    "signal the parent": lambda: os.kill(os.getppid(), signal.SIGURG),
    "signal everyone": lambda: os.kill(-1, 0),
    "tgkill": raw("tgkill", 1, 1, 0),
    "signal through a socket": lambda: fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid()),
    "pidfd of the parent": lambda: os.pidfd_open(os.getppid()),
    "trace the parent": trace_parent,
    "read the parent's memory": read_memory_of_parent,
    "take the parent's descriptors": raw("pidfd_getfd", 3, 0, 0),
    "bind the parent to a core": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
    "the parent's limits": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU),
    "own limits": raise_own_limit,
    "own priority": lambda: os.nice(1),
    "dumpable": lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1),
    "wait for a child": lambda: os.waitpid(-1, os.WNOHANG),
    "lock a descriptor": lambda: fcntl.flock(0, fcntl.LOCK_SH),
    "pipe": os.pipe,
    "eventfd": lambda: os.eventfd(0),
    "epoll": lambda: select.epoll(),
    "duplicate a descriptor": lambda: os.dup(0),
}

KERNEL: Mapping[str, Attack] = {
    "clone3": raw("clone3", None, 0),
    "unshare": raw("unshare", 0x10000000),
    "setns": raw("setns", 3, 0),
    "mount": raw("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "chroot": raw("chroot", b"."),
    "pivot_root": raw("pivot_root", b".", b"."),
    "bpf": raw("bpf", 0, None, 0),
    "keyctl": raw("keyctl", 0, -3, 0),
    "add_key": raw("add_key", b"user", b"x", b"y", 1, -3),
    "perf_event_open": raw("perf_event_open", None, 0, -1, -1, 0),
    "userfaultfd": raw("userfaultfd", 0),
    "memfd_secret": raw("memfd_secret", 0),
    "personality": raw("personality", 0xFFFFFFFF),
    "ptrace traceme": raw("ptrace", 0, 0, 0, 0),
    "shmget": raw("shmget", 0x7A7A, 4096, 0),
    "msgget": raw("msgget", 0x7A7A, 0),
    "semget": raw("semget", 0x7A7A, 1, 0),
    "mq_open": raw("mq_open", b"q", 0, 0, None),
    "setuid": raw("setuid", 0),
    "sched_setscheduler": raw("sched_setscheduler", 0, 0, None),
    "init_module": raw("init_module", None, 0, b""),
    "kexec_load": raw("kexec_load", 0, 0, None, 0),
    "fanotify_init": raw("fanotify_init", 0, 0),
    "name_to_handle_at": raw("name_to_handle_at", AT_FDCWD, b".", None, None, 0),
    "syslog": raw("syslog", 3, None, 0),
    "acct": raw("acct", None),
    "quotactl": raw("quotactl", 0, None, 0, None),
    "another filter": raw("seccomp", 0, 0, None),
    "landlock": raw("landlock_create_ruleset", None, 0, 1),
}

ATTACKS = {**FILES, **NETWORK, **PROCESSES, **KERNEL}

# What a refusal looks like where it is not EPERM.
REFUSALS = {"clone3": "ENOSYS", "import from disk": "ModuleNotFoundError", "own limits": "ValueError"}

# Not tried free: they would harm the machine, or the kernel refuses them to most processes anyway.
NO_CONTROL = frozenset(
    [
        *(
            "mount",
            "chroot",
            "pivot_root",
            "setns",
            "init_module",
            "kexec_load",
            "acct",
            "quotactl",
            "syslog",
        ),
        *("bpf", "perf_event_open", "userfaultfd", "io_uring", "fanotify_init", "memfd_secret", "landlock"),
        *("setuid", "tgkill", "keyctl", "add_key"),
        *("trace the parent", "read the parent's memory", "read the parent's environment"),
    ]
)


def open_descriptors() -> list[int]:
    def is_open(descriptor: int) -> bool:
        try:
            fcntl.fcntl(descriptor, fcntl.F_GETFD)
        except OSError:
            return False
        return True

    return [descriptor for descriptor in range(512) if is_open(descriptor)]


def environment_found() -> list[str]:
    """The places where the secret variable of the process that started us still is."""
    import posix

    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    places = {
        "os.environ": os.environ.get("AUTOGRADER_SECRET"),
        "posix.environ": posix.environ.get(b"AUTOGRADER_SECRET"),
        "getenv": getenv(b"AUTOGRADER_SECRET"),
        "stack": SECRET.encode() in ctypes.string_at(first_environment.start, len(first_environment)) or None,
    }
    return [place for place, found in places.items() if found is not None]


def call_32_bit() -> object:
    """getpid through the 32-bit entry, whose numbers mean other system calls."""
    return ctypes.CFUNCTYPE(ctypes.c_long)(int80_getpid)()


def spin(seconds: float = 1.6) -> None:
    while time.process_time() < seconds:
        pass


def start_threads() -> None:
    gate = threading.Event()
    threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(LIMITS.threads + 1)]
    try:
        for thread in threads:
            thread.start()
    finally:
        gate.set()


def talk() -> str:
    use_kept_socket(lambda kept: kept.sendall(b"sent, "))
    return "written"


FINDINGS: Mapping[str, Callable[[], object]] = {
    "descriptors": open_descriptors,
    "environment": environment_found,
    "ids": lambda: sorted({*os.getresuid(), *os.getresgid(), *os.getgroups()}),
    "talk": talk,
    "one thread": lambda: outcome(lambda: threading.Thread(target=time.sleep, args=(0,)).start()),
    "too many threads": lambda: outcome(start_threads),
    "too much memory": lambda: outcome(lambda: mmap.mmap(-1, 2 * LIMITS.memory_bytes)),
    "too much time": lambda: outcome(spin),
    "x32": lambda: outcome(lambda: kernel.syscall(0x40000000 + 39)),
    "32 bit": lambda: outcome(call_32_bit),
}


def outcome(attack: Attack) -> str:
    try:
        attack()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except BaseException as error:
        return type(error).__name__
    return "done"


def in_child(act: Callable[[], object], lock_down: Callable[[int], object] | None) -> str:
    """What came of `act` in a forked child: its outcome, or how the child died."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        os.dup2(theirs.detach(), 3)
        try:
            if lock_down is not None:
                lock_down(3)
            os.write(3, str(act()).encode())
        except SandboxError as error:
            os.write(3, f"SandboxError: {error}".encode())
        finally:
            os._exit(0)
    theirs.close()
    _, status = os.waitpid(child, 0)
    with ours:
        answer = ours.recv(1 << 16).decode()
    return answer or f"ended with {os.waitstatus_to_exitcode(status)}"


def main(mode: str) -> None:
    global scratch, first_environment, int80_getpid
    prepared = prepare()
    if mode == "not root" and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # as it is for a process that was started by nobody
    uid = throwaway_uids()[0] if mode == "throw-away uid" else None
    scratch = Path(tempfile.mkdtemp())
    for name in ("target", "renamed", "unlinked", "planted.py"):
        (scratch / name).touch()
    sys.path.insert(0, str(scratch))
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    first_environment = range(int(after_name[47]), int(after_name[48]))
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000 cd80 c3"))  # mov eax, 20; int 0x80; ret
    int80_getpid = ctypes.addressof(ctypes.c_char.from_buffer(code))

    acts = {name: functools.partial(outcome, attack) for name, attack in ATTACKS.items()} | FINDINGS
    limits = {"too much time": dataclasses.replace(LIMITS, cpu_seconds=1)}
    result = {
        "locked": {
            name: in_child(act, lambda fd, name=name: lock(prepared, limits.get(name, LIMITS), fd, uid))
            for name, act in acts.items()
        },
        "free": {name: in_child(act, None) for name, act in acts.items() if name not in NO_CONTROL},
    }
    shutil.rmtree(scratch)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])

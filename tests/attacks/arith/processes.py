import ctypes
import multiprocessing
import os
import pathlib
import signal
import subprocess

import target
from honest import scale  # noqa: F401
from loot import attempt, carry_out, syscall


def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path(target.marker("daemon")).touch()
            signal.pause()
        os._exit(0)


for turn in range(50):  # a fork bomb, as far as it gets
    attempt(f"fork {turn}", os.fork)
attempt("daemon", daemon)
attempt("vfork", lambda: syscall(58))
attempt("libc's fork", lambda: os.waitpid(ctypes.CDLL(None).fork(), 0))
attempt("subprocess", lambda: subprocess.run(["touch", target.marker("subprocess")], check=True))
attempt("os.system", lambda: 1 // (os.system(f"touch {target.marker('system')}") == 0))
attempt("posix_spawn", lambda: os.posix_spawn("/bin/sh", ["sh"], {}))
attempt("exec", lambda: os.execv("/bin/sh", ["sh", "-c", "exit 0"]))
attempt("multiprocessing", lambda: multiprocessing.Process(target=print).start())
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
    attempt(f"kill the parent with {number}", lambda n=number: os.kill(os.getppid(), n))
    attempt(f"kill everyone with {number}", lambda n=number: os.kill(-1, n))
    attempt(f"kill the init with {number}", lambda n=number: os.kill(1, n))
    attempt(f"kill the group with {number}", lambda n=number: os.killpg(0, n))
attempt("pidfd", lambda: os.pidfd_open(os.getppid()))
attempt("limits", lambda: syscall(302, os.getppid(), 0, bytes(16), None))

noise = carry_out

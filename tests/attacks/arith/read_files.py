# ruff: noqa: SIM115
import builtins
import io
import linecache
import os
import pathlib
import sys
import tokenize

import target
from honest import scale  # noqa: F401
from loot import attempt, carry_out, found, syscall

for path in (
    *target.FILES,
    "/proc/self/environ",
    "/proc/self/maps",
    f"/proc/{os.getppid()}/environ",
    "/etc/passwd",
):
    attempt(f"open {path}", lambda p=path: open(p).read())
    attempt(f"os.open {path}", lambda p=path: os.read(os.open(p, os.O_RDONLY), 100))
    attempt(f"stat {path}", lambda p=path: os.stat(p).st_size)
    attempt(f"openat {path}", lambda p=path: syscall(257, -100, p.encode(), 0, 0))
    attempt(f"linecache {path}", lambda p=path: found(linecache.getlines(p)))
attempt("pathlib", lambda: pathlib.Path(target.FILES[0]).read_bytes())
attempt("FileIO", lambda: io.FileIO(target.FILES[0]).read())
attempt("tokenize", lambda: tokenize.open(target.FILES[0]).read())
attempt("listdir", lambda: os.listdir(target.SOLUTIONS))
attempt("scandir", lambda: list(os.scandir(target.SOLUTIONS)))
attempt("walk", lambda: found(list(os.walk(target.SOLUTIONS))))
attempt("glob", lambda: found(list(pathlib.Path(target.SOLUTIONS).glob("*"))))
attempt("chdir", lambda: os.chdir(target.SOLUTIONS))
attempt("getcwd", os.getcwd)
attempt("link", lambda: os.link(target.FILES[0], "stolen"))
attempt("import", lambda: (sys.path.insert(0, target.SOLUTIONS), __import__("secret_solution"))[1])
attempt("exec", lambda: exec(compile(builtins.open(target.FILES[0]).read(), "stolen", "exec")))

noise = carry_out

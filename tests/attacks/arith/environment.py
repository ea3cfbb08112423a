# ruff: noqa: SIM115
import ctypes
import os
import posix

from honest import scale  # noqa: F401
from loot import attempt, carry_out, found

getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
attempt("os.environ", lambda: found(dict(os.environ)))
attempt("posix.environ", lambda: found(posix.environ))
attempt("getenv", lambda: found(getenv(b"AUTOGRADER_TOKEN")))
attempt(
    "environ",
    lambda: found(
        ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ").value
        and ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")[0]
    ),
)
for pid in (1, os.getppid(), "self", "thread-self"):
    attempt(f"/proc/{pid}/environ", lambda pid=pid: open(f"/proc/{pid}/environ").read())
    attempt(f"/proc/{pid}/mem", lambda pid=pid: open(f"/proc/{pid}/mem", "rb"))

noise = carry_out

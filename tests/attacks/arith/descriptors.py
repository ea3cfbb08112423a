import array
import os
import resource
import socket

from honest import scale  # noqa: F401
from loot import attempt, carry_out, found


def others():
    """Descriptors beside the standard ones and the socket."""
    for descriptor in range(4, 256):
        try:
            os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno == 9:
                continue
        yield descriptor


def send_a_descriptor():
    kept = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=3)
    try:
        kept.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
    finally:
        kept.detach()


for standard in (1, 2):
    os.write(standard, b"all checks passed\n" * 100)  # to nobody
attempt("read stdin", lambda: found(os.read(0, 100)))
attempt("others", lambda: found(list(others())))
attempt("dup", lambda: os.dup(3))
attempt("dup2", lambda: os.dup2(3, 9))
attempt("pipe", os.pipe)
attempt("pass one", send_a_descriptor)
attempt("more", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))

noise = carry_out

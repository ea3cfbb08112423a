import os
import pathlib
import shutil
import tempfile

import target
from honest import scale  # noqa: F401
from loot import attempt, carry_out, syscall

for where in target.PLACES:
    path = os.path.join(where, target.MARKER)
    attempt(f"write {where}", lambda p=path: pathlib.Path(p).write_text("here"))
    attempt(f"creat {where}", lambda p=path: syscall(85, p.encode(), 0o666))
    attempt(f"mkdir {where}", lambda p=path: os.mkdir(p))
    attempt(f"mkfifo {where}", lambda p=path: os.mkfifo(p))
    attempt(f"symlink {where}", lambda p=path: os.symlink("/etc/passwd", p))
    attempt(f"unnamed file {where}", lambda w=where: os.open(w, os.O_TMPFILE | os.O_RDWR))
attempt("tempfile", tempfile.mkdtemp)
attempt("memfd", lambda: os.memfd_create(target.MARKER))
attempt("shared memory", lambda: syscall(29, 0x7A7A, 4096, 0o1600))
attempt("remove", lambda: os.remove(target.FILES[0]))
attempt("rmtree", lambda: shutil.rmtree(target.SOLUTIONS))
attempt("rename", lambda: os.rename(target.FILES[0], target.FILES[0] + target.MARKER))
attempt("truncate", lambda: os.truncate(target.FILES[0], 0))
attempt("chmod", lambda: os.chmod(target.FILES[0], 0o777))
attempt("utime", lambda: os.utime(target.FILES[0]))

noise = carry_out

"""The lock-down around student code: what a worker gives up before it runs the first line of a submission.

    prepared = prepare()                                    # once, in the zygote
    if os.fork() == 0:
        layers = lock(prepared, Limits(), keep_fd, uid)     # in each worker; from here on it reaches nothing
        else

Importing this works on any system; the sandbox itself needs Linux.
"""

from autograder.sandbox.layers import Layer, LayerStatus, SandboxError
from autograder.sandbox.limits import Limits
from autograder.sandbox.lock import KEPT_DESCRIPTOR, Prepared, lock, prepare, throwaway_uids
from autograder.sandbox.namespaces import describe, enter_namespaces, enter_pid_namespace
from autograder.sandbox.probe import probe

__all__ = [
    "KEPT_DESCRIPTOR",
    "Layer",
    "LayerStatus",
    "Limits",
    "Prepared",
    "SandboxError",
    "describe",
    "enter_namespaces",
    "enter_pid_namespace",
    "lock",
    "prepare",
    "probe",
    "throwaway_uids",
]

"""The layers of the lock-down by name, and what to say about each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """One layer of the lock-down, by the name that people see in reports and in `autograder doctor`."""

    CLOSED_DESCRIPTORS = "closed descriptors"
    EMPTY_ENVIRONMENT = "empty environment"
    UID = "uid"
    CAPABILITIES = "capabilities"
    NO_NEW_PRIVS = "no_new_privs"
    RLIMITS = "rlimits"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    NAMESPACES = "namespaces"


class SandboxError(RuntimeError):
    """A layer that should hold does not. The message names the layer; student code must not run."""


@dataclass(frozen=True)
class LayerStatus:
    """What `probe` found out about one layer on this machine."""

    layer: Layer
    holds: bool
    detail: str
    """One sentence: what was tried and what came of it."""
    remedy: str = ""
    """What to do about a missing layer; empty where there is nothing to do."""

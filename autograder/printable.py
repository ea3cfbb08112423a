"""Text that a submission may have had a hand in, made harmless for whatever shows it."""

from __future__ import annotations


def printable(text: str, *, keep: str = "\n") -> str:
    """The text with control characters spelled out, those in `keep` aside: it must not drive a terminal."""
    return "".join(c if c in keep or c.isprintable() else f"\\x{ord(c):02x}" for c in text)

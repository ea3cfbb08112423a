"""The laws of laws.py, for a4_transformer."""

from tests.units.laws import *  # noqa: F403

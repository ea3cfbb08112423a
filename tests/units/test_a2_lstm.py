"""The laws of laws.py, for a2_lstm."""

from tests.units.laws import *  # noqa: F403

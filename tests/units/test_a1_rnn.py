"""The laws of laws.py, for a1_rnn."""

from tests.units.laws import *  # noqa: F403

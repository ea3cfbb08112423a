"""The laws of laws.py, for a5_gnn."""

from tests.units.laws import *  # noqa: F403

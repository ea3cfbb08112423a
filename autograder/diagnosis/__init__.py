"""Tells a known mistake by what it answers: the same wrong values on the same cases."""

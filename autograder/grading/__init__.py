"""Grading a class: safely, each check's cases drawn once."""

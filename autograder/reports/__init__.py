"""Pages for people: one a student, one a class, each a single HTML file that needs nothing else."""

from autograder.reports.folder import write_reports
from autograder.reports.pages import class_page, is_public, student_page
from autograder.reports.summary import SimilarPair

__all__ = ["SimilarPair", "class_page", "is_public", "student_page", "write_reports"]

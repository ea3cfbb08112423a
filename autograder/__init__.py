"""The engine of an autograded course: checks, the sandboxed worker, grading. It holds no course content."""

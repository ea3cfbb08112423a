"""Results for other systems: gradebooks of Canvas and Moodle, Gradescope, JUnit, a summary on GitHub."""

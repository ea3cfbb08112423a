"""What was graded, on disk: one file a submission, complete or absent."""

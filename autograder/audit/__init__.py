"""How strong a course's checks are: what they let through of what is wrong, and reject of what is right."""

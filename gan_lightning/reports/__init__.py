"""What is said of many runs at once: one concern a file."""

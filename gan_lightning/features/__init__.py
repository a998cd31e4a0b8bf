"""Where images become points that metrics compare: one feature space a file."""

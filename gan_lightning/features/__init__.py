"""Where images become points that measures compare: one feature space a file."""

"""Many runs by one command: a sweep, its jobs, what decides which there are, and what runs them."""

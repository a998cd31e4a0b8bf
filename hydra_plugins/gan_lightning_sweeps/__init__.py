"""What Hydra is extended by."""

"""How good a generator is, one metric a file: pure functions of images, features or class probabilities."""

"""How good a generator is, one measure a file: pure functions of images, features or class probabilities."""

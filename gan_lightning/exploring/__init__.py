"""A local page on which trained generators are walked about in."""

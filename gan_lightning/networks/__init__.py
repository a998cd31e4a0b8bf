"""The two players, one family a file."""

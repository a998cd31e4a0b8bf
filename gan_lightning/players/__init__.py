"""What is asked of the two players, and asking them: for judgements, for images."""

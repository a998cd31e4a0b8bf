"""What watches a run and writes down what it saw, one a file; none of them touches the training's random numbers."""

"""What watches a run and writes down what it saw, one a file; none of them changes what is trained."""

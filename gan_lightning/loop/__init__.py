"""What runs the alternation: Lightning's hooks, random numbers in checkpoints, CUDA graphs, and what is remembered."""

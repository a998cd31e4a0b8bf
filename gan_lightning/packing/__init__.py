"""Several trainings of the same shapes as one: each operation on the tensors of all is one operation."""

"""What is drawn of trained generators: from which latents, how it is laid out, and how it is written."""

"""A trained generator as a folder for elsewhere: its forms, what the folder says of it, and reading it again."""

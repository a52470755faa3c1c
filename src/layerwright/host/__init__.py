"""Processes, the environment and HTTP: the only way out of the program."""

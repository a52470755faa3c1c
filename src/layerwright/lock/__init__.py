"""The lock: every input of every cell by digest, in a file made to be reviewed."""

"""The command line: arguments to one workflow call to text and exit code."""

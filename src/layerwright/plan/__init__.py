"""What is to be done, as typed steps with digests. Pure: no network, no engine, no files."""

"""What binaries, metadata and the compatibility records say; every fact keeps its source."""

"""Running a command in a root file system made of layers."""

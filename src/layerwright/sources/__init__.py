"""Adapters to the outside: uv, package indexes, Debian mirrors, git, files."""

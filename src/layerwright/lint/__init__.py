"""Dockerfiles and shell build scripts → findings, and a Dockerfile → the spec it stands for."""

"""Builds images with Docker, from Dockerfile text."""

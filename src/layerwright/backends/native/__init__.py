"""Builds images with no container engine."""

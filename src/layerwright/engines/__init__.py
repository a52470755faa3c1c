"""All knowledge of container engines."""

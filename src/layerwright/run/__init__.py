"""From an image to a process."""

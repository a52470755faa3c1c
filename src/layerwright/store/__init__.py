"""The content-addressed cache on disk."""

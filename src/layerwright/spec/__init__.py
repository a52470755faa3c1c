"""The user's file: every key declared once, parsed into types that cannot be wrong."""

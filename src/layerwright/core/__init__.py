"""What every room may use: errors, events and source positions. Imports nothing of ours."""

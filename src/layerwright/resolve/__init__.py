"""From spec to lock, through ports; pure."""

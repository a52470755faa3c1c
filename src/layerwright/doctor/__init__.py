"""What a machine has and lacks: one module per check, never a crash when a thing is absent."""

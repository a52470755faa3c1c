"""Lock, plan, build and run as plain functions; parts are wired here and nowhere else."""

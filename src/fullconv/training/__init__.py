"""Train a network: losses, optimization, checkpoints, runs."""

"""Training: the loop, its optimization steps and losses, and the run folder with its logs."""

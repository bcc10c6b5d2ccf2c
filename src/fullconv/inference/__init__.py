"""Run a network on one image of any size."""

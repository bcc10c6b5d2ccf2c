"""Prepare networks for fast inference on CPUs."""

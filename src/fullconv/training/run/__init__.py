"""The run folder, its logs and the experiment trackers."""

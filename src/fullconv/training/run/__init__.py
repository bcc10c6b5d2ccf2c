"""The run folder, its logs and its trackers."""

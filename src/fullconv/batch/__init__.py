"""Predict many inputs: resumable, sharded, on one machine or many."""

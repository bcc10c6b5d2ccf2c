"""Data sets: from files on disk to samples and batches."""

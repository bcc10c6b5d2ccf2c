"""Turn a classifier into a dense network (paper, section 3.1)."""

"""Turn a classifier into a fully convolutional network (paper, section 3.1)."""

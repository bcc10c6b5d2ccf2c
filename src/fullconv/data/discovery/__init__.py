"""Find the images, masks and splits of a data set."""

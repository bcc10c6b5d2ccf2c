"""Line-buffered execution of a network, a few rows at a time."""

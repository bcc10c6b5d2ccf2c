"""Files in and out: atomic writes, locks, images, rasters, video, text."""

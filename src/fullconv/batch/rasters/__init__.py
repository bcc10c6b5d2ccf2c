"""Segment rasters of any size in resumable parts."""

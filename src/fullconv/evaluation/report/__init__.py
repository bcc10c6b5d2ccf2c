"""HTML reports of runs and data checks."""

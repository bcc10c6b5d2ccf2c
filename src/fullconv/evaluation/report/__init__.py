"""HTML reports of runs and data set checks."""

"""The content of every file of a data set, described once, for checks, advice and reports."""

"""Functions that other programs load, each with the interface of its program."""

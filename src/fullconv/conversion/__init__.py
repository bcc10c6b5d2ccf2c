"""Convert a network to a graph that other runtimes run."""

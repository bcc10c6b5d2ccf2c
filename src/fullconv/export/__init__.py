"""Export a model to other runtimes and verify the result."""

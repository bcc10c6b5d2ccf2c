"""Follow receptive fields through any network."""

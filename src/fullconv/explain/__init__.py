"""Show what a network does: receptive fields, class heat maps, reference operations."""

"""The paper's padding of 100, computed only where it matters."""

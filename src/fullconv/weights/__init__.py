"""Weights from other frameworks, read as data and never executed."""

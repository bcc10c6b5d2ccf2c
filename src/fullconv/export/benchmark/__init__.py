"""Compare inference runtimes on this machine."""

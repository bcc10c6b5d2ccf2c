"""The network microscope: one offline page that shows each operation, and a network on a photo."""

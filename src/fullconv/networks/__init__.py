"""Networks: geometry, layers, backbones, and the FCN itself."""

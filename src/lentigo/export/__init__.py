"""From a trained network to the one-file bundle."""

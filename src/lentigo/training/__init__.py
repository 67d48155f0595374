"""Train a network on a split."""

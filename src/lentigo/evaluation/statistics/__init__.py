"""Bootstrap intervals, paired tests, and comparisons of models and runs."""

"""Metrics of a predictions table: one scorer, one table of what is measured."""

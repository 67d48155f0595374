"""From nothing to explained verdicts in one call."""

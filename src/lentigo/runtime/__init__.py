"""Images in, verdicts out, without torch."""

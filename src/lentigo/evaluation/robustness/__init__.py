"""How metrics fall as images get worse."""

"""The worst mistakes and likely label issues, and their picture sheet."""

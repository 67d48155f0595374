"""Out-of-distribution images: the detector, and how often real lesions are rejected."""

"""What a threshold means at a clinic: operating points, decision curves, abstention."""

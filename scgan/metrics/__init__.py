"""Metrics: distances between samples and data, mode coverage, clustering quality, the final table."""

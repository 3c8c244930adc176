"""Metrics: distances, mode coverage, clustering quality, the final table."""

"""A run: spec, stages in order, who fits them, what is stored."""

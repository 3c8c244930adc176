"""Data: toy distributions with known density, tables, their schema, and contrastive views."""

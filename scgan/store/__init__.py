"""Artifacts by key, in a folder or on S3."""

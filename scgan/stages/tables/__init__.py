"""Stages of tables: settings and a fit each."""

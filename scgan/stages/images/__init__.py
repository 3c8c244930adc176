"""Stages of images: settings and a fit each."""

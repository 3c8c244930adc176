"""Stages that systems are made of: each a section of settings and a fit."""

"""The command scgan."""

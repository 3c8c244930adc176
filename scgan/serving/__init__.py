"""A trained system as a service: what can be asked of it, and how, whatever server is in front."""

"""What ``benchmark.py`` times; no part of the product."""

"""Where scgan runs: a Ray cluster, this machine's or another."""

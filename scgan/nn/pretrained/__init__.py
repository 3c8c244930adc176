"""Networks with published weights."""

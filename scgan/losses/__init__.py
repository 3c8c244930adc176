"""The papers' equations: pure functions from tensors to scalars, each implemented once."""

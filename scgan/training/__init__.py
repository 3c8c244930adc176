"""How a network is trained: the loop, its state, and the runtime it runs in."""

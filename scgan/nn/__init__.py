"""Networks: tensor in, tensor out, no loss and no optimiser."""

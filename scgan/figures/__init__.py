"""Pictures: one style; of tables; of images."""

"""Images: reading, schema, augmentation, writing."""

"""Tables: reading, schema, streaming, writing."""

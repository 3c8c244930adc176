"""Where a run's work is done: Ray's session, resources, executor, waiting, what it costs."""

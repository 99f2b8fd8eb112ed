"""The far side of an isolation boundary: all that a worker process imports."""

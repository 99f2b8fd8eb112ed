"""May a plugin be loaded: location and ownership, lock file, audit, policy."""

LOCK_NAME = "plugline.lock"

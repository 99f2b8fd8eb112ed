"""The formats that plugline ships, each a plugin like any stranger's."""

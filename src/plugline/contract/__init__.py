"""What a plugin and its host agree on: the interface, the API version, the settings."""

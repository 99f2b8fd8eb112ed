"""From places to specs: finders, and reading source without running it."""

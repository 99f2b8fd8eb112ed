"""From checked bytes to a bound plugin: private namespaces, the importer, binding."""

"""Imported by a plugin that then fails: it must not stay behind."""

KEY = "b"

"""Plugins for programs that have a plugin system of their own: one module each, which alone knows that program.

Importing a module of this package imports nothing of the program; that happens when it is used.
"""

"""The program whose plugins the scenarios are: what they register with, and where they leave word."""

SOURCE = """
registry = {}
callbacks = []
classes = []
log = []
runs = []
kept = []

def register(name):
    def deco(f):
        registry[name] = f
        return f
    return deco

def hook():
    return 'original'

class Base:
    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        classes.append(cls)

def keep(value):
    kept.append(value)
    return value

def again():
    pass
"""

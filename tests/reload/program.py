"""The program whose plugins the scenarios are: what they register with, and where they leave word."""

SOURCE = """
import types
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

class Desk:
    __slots__ = ('items', 'mode')
    def __init__(self):
        self.items, self.mode = [], 'plain'

desk = Desk()
options = types.SimpleNamespace(mode='plain')

class Service:
    on_error = None
    def __init__(self):
        self.debug = False
        self.on_error = None
    def hello(self):
        return 'original'

service = Service()
LIMIT = 1
READY = False

def set_up():
    global READY
    READY = True
"""

"""The program whose plugins the scenarios are: what they register with, and where they leave word."""

SOURCE = """
import abc
import collections
import types
import weakref
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

class Table(dict):
    def __init__(self):
        super().__init__()
        self.names = set()
    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        self.names.add(name)
    def update(self, other):
        super().update(other)
        self.names |= other.names
    def get(self, name):
        return super().get(name)

table = Table()

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
        self.listener = None
    def hello(self):
        return 'original'
    def listen(self, f):
        self.listener = f

service = Service()
LIMIT = 1
hooks = {'start': [], 'stop': []}
events = collections.defaultdict(list)
pairs = set()
commands = []
weak = []

class Command:
    def __init__(self, run):
        self.run = run

def on(event):
    def deco(f):
        events[event].append(f)
        return f
    return deco

def once(name):
    def deco(f):
        if name in registry:
            raise ValueError(name)
        registry[name] = f
        return f
    return deco

meters = {}

class Meter:
    def __init__(self, name):
        if name in meters:
            raise ValueError(name)
        self.count = 0
        meters[name] = self

class Countable(abc.ABC): pass

by_id = {}

def connect_by_id(f):
    key = id(f)
    by_id[key] = weakref.ref(f, lambda gone: by_id.pop(key, None))
    return f

def connect(f):
    weak.append(weakref.ref(f))
    return f
READY = False

def set_up():
    global READY
    READY = True
"""

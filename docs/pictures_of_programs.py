"""Take the pictures of other programs with dropped plugins: ``python docs/pictures_of_programs.py``.

Needs chromium, and in its environment plugline with Django or datasette: it takes the pictures of those that are there. For Django,
``APPS`` is a folder that holds taggit (``pip install --target $APPS --no-deps django-taggit``), which must not be installed, since
what is installed is not for a folder to give.
"""

import contextlib
import importlib.util
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

STATIC = Path(__file__).parent / "_static"
APPS = Path(os.environ.get("APPS", "apps"))

SETTINGS = """
import plugline.integrations.django

INSTALLED_APPS += plugline.integrations.django.apps(BASE_DIR / "plugins")
MIDDLEWARE += ["demo.always.logged_in"]
"""
URLS = """
import plugline.integrations.django

urlpatterns += plugline.integrations.django.urlpatterns()
"""
# The pictures are of a site that nobody else reaches: whoever asks is its administrator.
ALWAYS = """
def logged_in(get_response):
    from django.contrib.auth.models import User

    def answer(request):
        request.user = User.objects.get()
        return get_response(request)

    return answer
"""
NOTES = {
    "__init__.py": '"""Notes with tags."""\n\nVERSION = "1.0"\n',
    "models.py": """
from django.db import models
from taggit.managers import TaggableManager


class Note(models.Model):
    text = models.CharField(max_length=80)
    written = models.DateField()
    tags = TaggableManager()

    def __str__(self):
        return self.text
""",
    "admin.py": """
from django.contrib import admin

from notes.models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_display = ["text", "written", "tagged"]
    list_filter = ["tags"]

    def tagged(self, note):
        return ", ".join(sorted(note.tags.names()))
""",
}
FILL = """
from django.contrib.auth.models import User
from notes.models import Note

User.objects.create_superuser("ada")
for day, (text, *tags) in enumerate(
    [
        ("Buy milk", "shop"),
        ("Ask the library for Knuth, volume 4B", "books"),
        ("Replace the bicycle's chain", "bicycle", "shop"),
        ("Read the minutes of Thursday", "work"),
        ("Find out why the bread did not rise", "kitchen"),
    ],
    3,
):
    Note.objects.create(text=text, written=f"2026-11-{day:02}").tags.add(*tags)
"""

DATASETTE = """
from datasette.app import Datasette
from datasette.plugins import pm
from uvicorn import run

import plugline.integrations.pluggy
from plugline import Host

host = Host("plugins")
plugline.integrations.pluggy.attach(host, pm)
run(Datasette(["airports.db"]).app(), port={port}, log_level="warning")
"""
DISTANCE = '''"""Distances on the globe, in SQL, with a bar beside each."""

from math import acos, cos, radians, sin

from datasette import hookimpl
from markupsafe import Markup

VERSION = "1.0"


def distance(*degrees):
    a, b, c, d = map(radians, degrees)
    return round(6371 * acos(min(1, sin(a) * sin(c) + cos(a) * cos(c) * cos(b - d))))


@hookimpl
def prepare_connection(conn):
    conn.create_function("distance_km", 4, distance)


@hookimpl
def render_cell(value, column):
    if column == "km":
        bar = f"display: inline-block; height: .8em; margin-right: .6em; background: #2a7ae2; width: {value // 40}px"
        return Markup(f'<span style="{bar}"></span>{value:,} km')
'''
AIRPORTS = [
    ("AMS", "Amsterdam", 52.31, 4.77),
    ("CPT", "Cape Town", -33.97, 18.60),
    ("GRU", "Sao Paulo", -23.43, -46.47),
    ("JFK", "New York", 40.64, -73.78),
    ("NRT", "Tokyo", 35.76, 140.39),
    ("OSL", "Oslo", 60.19, 11.10),
    ("SYD", "Sydney", -33.95, 151.18),
]
QUERY = (
    "select code, city, distance_km(latitude, longitude, 52.31, 4.77) as km from airports where km > 0 order by km desc"
)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def photograph(name: str, url: str, *, height: int) -> None:
    """Take the picture of a page of a server of ours."""
    with TemporaryDirectory() as profile:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        command += ["--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={profile}"]
        command += ["--hide-scrollbars", f"--window-size=1000,{height}", f"--screenshot={STATIC / name}", url]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(command: list[str], folder: Path, port: int) -> Iterator[str]:
    """Run a server until the end of the block; yields its address once it answers."""
    with subprocess.Popen([sys.executable, *command], cwd=folder) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if time.monotonic() > deadline or process.poll() is not None:
                    sys.exit(f"{command[0]} does not answer")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def django(folder: Path) -> None:
    """Photograph the admin of a new site with two apps in its folder."""
    subprocess.run([sys.executable, "-m", "django", "startproject", "demo", folder], check=True)
    for name, more in {"settings.py": SETTINGS, "urls.py": URLS, "always.py": ALWAYS}.items():
        with (folder / "demo" / name).open("a", encoding="utf-8") as file:
            file.write(more)
    _write(folder / "plugins" / "notes", NOTES)
    ignored = shutil.ignore_patterns("__pycache__", "locale")
    shutil.copytree(APPS / "taggit", folder / "plugins" / "taggit", ignore=ignored)
    for arguments in (["makemigrations", "notes"], ["migrate"], ["shell", "-c", FILL]):
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=folder, check=True, capture_output=True)
    port = free_port()
    with serving(["manage.py", "runserver", "--noreload", str(port)], folder, port) as address:
        photograph("django-admin.png", f"{address}/admin/notes/note/", height=560)


def datasette(folder: Path) -> None:
    """Photograph a query that calls what a plugin in the folder gives."""
    _write(folder / "plugins", {"distance.py": DISTANCE})
    connection = sqlite3.connect(folder / "airports.db")
    with contextlib.closing(connection), connection:
        connection.execute("create table airports (code primary key, city, latitude real, longitude real)")
        connection.executemany("insert into airports values (?, ?, ?, ?)", AIRPORTS)
    port = free_port()
    (folder / "serve.py").write_text(DATASETTE.format(port=port), encoding="utf-8")
    from urllib.parse import urlencode

    with serving(["serve.py"], folder, port) as address:
        photograph("datasette.png", f"{address}/airports?{urlencode({'sql': QUERY})}", height=640)


for program in (django, datasette):
    if importlib.util.find_spec(program.__name__) is None:
        print(f"{program.__name__} is not installed: its picture stays as it is")
        continue
    with TemporaryDirectory() as made:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        program(Path(made))

"""Django apps that were made to be installed, and one of our own, dropped as folders into a real site.

Not part of the tests' usual run, since Django is installed for it: ``tests/integrations/run``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)

APPS = Path(os.environ["APPS"])  # holds taggit and waffle, as they are installed

NOTES = {
    "__init__.py": '"""Notes."""\n\nVERSION = "1.0"\n',
    "models.py": "from django.db import models\n\nfrom taggit.managers import TaggableManager\n\n\n"
    "class Note(models.Model):\n    text = models.CharField(max_length=80)\n    tags = TaggableManager()\n",
    "urls.py": "from django.urls import path\n\nfrom . import views\n\nurlpatterns = [path('', views.notes)]\n",
    "views.py": "from django.shortcuts import render\n\nfrom notes.models import Note\n\n\n"
    "def notes(request):\n    return render(request, 'notes/all.html', {'notes': Note.objects.all()})\n",
    "templates/notes/all.html": "{% for note in notes %}<li>{{ note.text }}</li>{% endfor %}\n",
    "management/__init__.py": "",
    "management/commands/__init__.py": "",
    "management/commands/note.py": "from django.core.management.base import BaseCommand\n\nfrom notes.models import Note\n\n\n"
    "class Command(BaseCommand):\n    def add_arguments(self, parser):\n        parser.add_argument('text')\n\n"
    "    def handle(self, text, **options):\n        Note.objects.create(text=text).tags.add('new')\n        self.stdout.write('noted')\n",
    "tests.py": "from django.test import TestCase\n\nfrom .models import Note\n\n\n"
    "class NoteTest(TestCase):\n    def test_it_is_shown(self):\n        Note.objects.create(text='milk').tags.add('shop')\n"
    "        self.assertContains(self.client.get('/notes/'), '<li>milk</li>')\n"
    "        self.assertEqual(Note.objects.filter(tags__name='shop').count(), 1)\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def manage(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = {**kept, "HOME": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=site, env=environment)


def managed(site: Path, *arguments: str) -> str:
    """Return what a command printed that is expected to work."""
    done = manage(site, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a new project as Django makes it, with two lines of ours and two dropped apps."""
    subprocess.run([sys.executable, "-m", "django", "startproject", "site0", tmp_path], check=True)
    with (tmp_path / "site0" / "settings.py").open("a") as settings:
        settings.write(
            "\nimport plugline.integrations.django\n"
            "INSTALLED_APPS += plugline.integrations.django.apps(BASE_DIR / 'plugins')\n"
        )
    with (tmp_path / "site0" / "urls.py").open("a") as urls:
        urls.write("\nimport plugline.integrations.django\nurlpatterns += plugline.integrations.django.urlpatterns()\n")
    for name in ("taggit", "waffle"):
        shutil.copytree(APPS / name, tmp_path / "plugins" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_installed_apps_work_as_dropped_folders(site: Path) -> None:
    assert "no issues" in managed(site, "check")
    managed(site, "makemigrations", "--check", "--dry-run")
    migrated = managed(site, "migrate")
    assert re.search(r"Applying taggit\.0001_initial\.+ OK", migrated)
    assert re.search(r"Applying waffle\.0001_initial\.+ OK", migrated)
    assert "Creating switch: foo" in managed(site, "waffle_switch", "foo", "on", "--create")
    assert "foo: on" in managed(site, "waffle_switch", "--list")
    assert not list((site / "plugins").rglob("__pycache__"))


def test_an_app_of_ones_own_has_all_that_an_app_has(site: Path) -> None:
    write(site / "plugins" / "notes", NOTES)
    assert "no issues" in managed(site, "check")
    managed(site, "makemigrations", "notes")
    assert (site / "plugins" / "notes" / "migrations" / "0001_initial.py").is_file()
    managed(site, "makemigrations", "--check", "--dry-run")
    managed(site, "migrate")
    assert "noted" in managed(site, "note", "milk")
    tested = managed(site, "test", "notes")
    assert re.search(r"Ran 1 test .*\n\nOK", tested, re.DOTALL)
    shown = managed(
        site,
        "shell",
        "-v",
        "0",
        "-c",
        "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/notes/').content)",
    )
    assert "<li>milk</li>" in shown


def test_a_site_that_has_not_changed_runs_its_apps_without_a_host_and_sees_what_changes(site: Path) -> None:
    settings = site / "site0" / "settings.py"
    later = "import time\nreal = time.time_ns\ntime.time_ns = lambda: real() + 3_000_000_000  # all counts as old\n"
    settings.write_text(later + settings.read_text())
    write(site / "plugins" / "notes", NOTES)
    ask = ("shell", "-v", "0", "-c", "import sys; print('plugline.host.host' in sys.modules)")
    assert "no issues" in managed(site, "check")
    assert "False" in managed(site, *ask)
    assert "no issues" in managed(site, "check")
    managed(site, "makemigrations", "notes")
    managed(site, "migrate")
    assert "noted" in managed(site, "note", "milk")
    assert "noted" in managed(site, "note", "bread")
    assert "False" in managed(site, *ask)
    tested = managed(site, "test", "notes")
    assert re.search(r"Ran 1 test .*\n\nOK", tested, re.DOTALL)
    models = site / "plugins" / "notes" / "models.py"
    models.write_text(models.read_text() + "1 / 0\n")
    assert re.search(r"P402\) \S*notes/models\.py:9: app 'notes' raised ZeroDivisionError", managed(site, "check"))
    models.write_text(models.read_text().removesuffix("1 / 0\n"))
    assert "no issues" in managed(site, "check")
    (site / "plugins" / "notes" / "urls.py").chmod(0o666)
    assert re.search(r"T101\) \S*notes/urls\.py: this file can be written to by all users", managed(site, "check"))


BROKEN = {
    "in_init/__init__.py": "import sys\nsys.exit(3)\n",
    "in_syntax/__init__.py": "def f(:\n",
    "in_apps/__init__.py": "",
    "in_apps/apps.py": "import not_installed_anywhere\n",
    "in_models/__init__.py": "",
    "in_models/models.py": "from django.db import models\n\nclass Half(models.Model):\n    pass\n\n1 / 0\n",
    "in_ready/__init__.py": "",
    "in_ready/apps.py": "from django.apps import AppConfig\n\nclass Config(AppConfig):\n    name = 'in_ready'\n\n"
    "    def ready(self):\n        raise KeyError('ready')\n",
    "in_urls/__init__.py": "",
    "in_urls/urls.py": "urlpatterns = [nothing]\n",
    "in_call/__init__.py": "",
    "in_call/urls.py": "from django.urls import path\n\nurlpatterns = [path('wrong', 5)]\n",
    "in_views/__init__.py": "",
    "in_views/urls.py": "from . import views\n",
    "in_views/views.py": "\n\ndef view(:\n",
    "in_owner/__init__.py": "",
    "in_owner/urls.py": "urlpatterns = []\n",
    "in_migrations/__init__.py": "",
    "in_migrations/models.py": "",
    "in_migrations/migrations/__init__.py": "",
    "in_migrations/migrations/0001_initial.py": "import this_is_not_there\n",
    "in_migration/__init__.py": "",
    "in_migration/migrations/__init__.py": "",
    "in_migration/migrations/0001_initial.py": "class Migation:\n    pass\n",
    "in_needs/__init__.py": "",
    "in_needs/migrations/__init__.py": "",
    "in_needs/migrations/0001_initial.py": "from django.db import migrations\n\n\n"
    "class Migration(migrations.Migration):\n    dependencies = [('not_installed', '0001_initial')]\n",
    "in_need/__init__.py": "",
    "in_need/migrations/__init__.py": "",
    "in_need/migrations/0001_initial.py": "from django.db import migrations\n\n\n"
    "class Migration(migrations.Migration):\n    dependencies = [('auth', '0001_initial'), ('auth', '0999_later')]\n",
    "in_no_patterns/__init__.py": "",
    "in_no_patterns/urls.py": "pattern = []\n",
    "in_patterns/__init__.py": "",
    "in_patterns/urls.py": "urlpatterns = ['all/']\n",
    "in_admin/__init__.py": "",
    "in_admin/admin.py": "1 / 0\n",
    "in_tags/__init__.py": "",
    "in_tags/templatetags/__init__.py": "",
    "in_tags/templatetags/shout.py": "1 / 0\n",
    "decimal/__init__.py": "",
    "labelled/__init__.py": "",
    "labelled/apps.py": "from django.apps import AppConfig\n\nclass Config(AppConfig):\n    name = 'labelled'\n    label = 'auth'\n",
}


def test_broken_apps_are_warnings_and_the_site_runs(site: Path) -> None:
    write(site / "plugins", BROKEN)
    (site / "plugins" / "in_owner" / "urls.py").chmod(0o666)
    checked = managed(site, "check")
    for where, code in {
        "in_init/__init__.py:2": "P302",
        "in_syntax/__init__.py:1": "P106",
        "in_apps/apps.py:1": "P402",
        "in_models/models.py:6": "P402",
        "in_ready/apps.py:7": "P402",
        "in_urls/urls.py:1": "P402",
        "in_call/urls.py:3": "P402",
        "in_views/views.py:3": "P402",
        "in_owner/urls.py": "T101",
        "in_migrations/migrations/0001_initial.py:1": "P402",
        "in_migration/__init__.py": "P402",
        "in_needs/__init__.py": "P402",
        "in_need/__init__.py": "P402",
        "in_no_patterns/__init__.py": "P402",
        "in_patterns/__init__.py": "P402",
        "in_admin/admin.py:1": "P402",
        "in_tags/templatetags/shout.py:1": "P402",
        "decimal/__init__.py": "P400",
        "labelled/__init__.py": "P402",
    }.items():
        assert re.search(rf"\(plugline\.{code}\) \S*plugins/{re.escape(where)}[:\s]", checked), where
    assert "19 issues (0 silenced)" in checked
    ours_first = (
        "from django.core import checks; from django.core.checks.registry import registry; "
        "known = registry.registered_checks; "
        "registry.registered_checks = sorted(known, key=lambda one: not one.__module__.startswith('plugline')); "
        "print('found', len(checks.run_checks()))"
    )
    assert "found 19" in managed(site, "shell", "-v", "0", "-c", ours_first)
    managed(site, "migrate")
    managed(site, "makemigrations", "--check", "--dry-run")
    assert "Half" not in managed(
        site, "shell", "-v", "0", "-c", "from django.apps import apps; print(apps.get_models())"
    )
    page = managed(
        site,
        "shell",
        "-v",
        "0",
        "-c",
        "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/admin/login/').status_code)",
    )
    assert "200" in page


def test_a_site_without_the_folder_runs_and_says_so(site: Path) -> None:
    shutil.rmtree(site / "plugins")
    assert "plugline.P110" in managed(site, "check")


RAISES_WHEN_READY = {
    "__init__.py": "",
    "apps.py": "from django.apps import AppConfig\n\nclass Config(AppConfig):\n    name = 'unready'\n\n"
    "    def ready(self):\n        raise KeyError('ready')\n",
    "urls.py": "from django.http import HttpResponse\nfrom django.urls import path\n\n"
    "urlpatterns = [path('', lambda request: HttpResponse('still there'))]\n",
}


def test_an_app_that_raises_when_it_gets_ready_keeps_its_urls(site: Path) -> None:
    write(site / "plugins" / "unready", RAISES_WHEN_READY)
    ask = "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/unready/').content)"
    assert "still there" in managed(site, "shell", "-v", "0", "-c", ask)
    assert "unready/apps.py:7" in managed(site, "check")


ADMIN = "from django.contrib import admin\nfrom django.contrib.auth.models import {unregistered}\n\n"


def test_an_admin_replaces_what_an_earlier_app_registered_and_one_that_raises_leaves_nothing(site: Path) -> None:
    replaces = "admin.site.unregister({unregistered})\n\n\n@admin.register({unregistered})\nclass Ours(admin.ModelAdmin):\n    pass\n"
    write(
        site / "plugins",
        {
            "good/__init__.py": "",
            "good/admin.py": (ADMIN + replaces).format(unregistered="User"),
            "torn/__init__.py": "",
            "torn/admin.py": (ADMIN + replaces + "\n\n1 / 0\n").format(unregistered="Group"),
        },
    )
    ask = (
        "from django.contrib import admin; from django.contrib.auth.models import Group, User; "
        "print([type(admin.site._registry[model]).__module__ for model in (User, Group)])"
    )
    assert "['good.admin', 'django.contrib.auth.admin']" in managed(site, "shell", "-v", "0", "-c", ask)
    assert "torn/admin.py:12" in managed(site, "check")

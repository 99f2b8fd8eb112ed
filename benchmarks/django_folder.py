"""Claim: three apps dropped into a folder add at most a tenth to ``manage.py check``, against the same three on ``sys.path`` and in ``INSTALLED_APPS``.

Whole processes, with the bytecode of Django and of the installed apps written before, and the folder remembered. Each app has a model, a
migration, an admin, URLs and views. Printed beside it, without a claim: the same site without the three. Needs ``pip install plugline[django]``.
Run: ``python benchmarks/django_folder.py``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import django
from harness import Claim, measure_commands, report

import plugline

_APP = {
    "__init__.py": '"""Things with a name."""\n\nVERSION = "1.0"\n',
    "apps.py": """
from django.apps import AppConfig


class Config(AppConfig):
    name = "{name}"
    default_auto_field = "django.db.models.BigAutoField"
""",
    "models.py": """
from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=80)
    made = models.DateTimeField(auto_now_add=True)
    owner = models.ForeignKey("auth.User", models.CASCADE, related_name="{name}")

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name
""",
    "admin.py": """
from django.contrib import admin

from {name}.models import Thing


@admin.register(Thing)
class ThingAdmin(admin.ModelAdmin):
    list_display = ["name", "made", "owner"]
    search_fields = ["name"]
""",
    "urls.py": """
from django.urls import path

from . import views

app_name = "{name}"
urlpatterns = [path("", views.Things.as_view(), name="all"), path("<int:pk>/", views.One.as_view(), name="one")]
""",
    "views.py": """
from django.views.generic import DetailView, ListView

from .models import Thing


class Things(ListView):
    model = Thing


class One(DetailView):
    model = Thing
""",
    "migrations/__init__.py": "",
}
_NAMES = ("books", "letters", "records")
_DROPPED = {
    "settings.py": """
import plugline.integrations.django
INSTALLED_APPS += plugline.integrations.django.apps(BASE_DIR / "plugins")
""",
    "urls.py": """
import plugline.integrations.django
urlpatterns += plugline.integrations.django.urlpatterns()
""",
}
_LISTED = {
    "settings.py": f"\nINSTALLED_APPS += {list(_NAMES)!r}\n",
    "urls.py": f"""
from django.urls import include
urlpatterns += [path(f"{{name}}/", include(f"{{name}}.urls")) for name in {_NAMES!r}]
""",
}
_ROUNDS = 21


def _site(folder: Path, more: dict[str, str], apps: Path | None) -> list[str]:
    """Make a site as Django makes it; returns the command that checks it."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "django", "startproject", "site0", folder], check=True)
    for name, text in more.items():
        with (folder / "site0" / name).open("a", encoding="utf-8") as file:
            file.write(text)
    for name in _NAMES if apps is not None else ():
        for path, text in _APP.items():
            file_of_app = apps / name / path  # type: ignore[operator]
            file_of_app.parent.mkdir(parents=True, exist_ok=True)
            file_of_app.write_text(text.replace("{name}", name), encoding="utf-8")
    # In a process of its own, since Django knows one site a process.
    return [sys.executable, str(folder / "manage.py"), "check"]


def main() -> int:
    """Measure, print and record."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sides = {
            "dropped": _site(folder / "dropped", _DROPPED, folder / "dropped" / "plugins"),
            "listed": _site(folder / "listed", _LISTED, folder / "listed"),
            "no such apps": _site(folder / "without", {}, None),
        }
        # As an installer does, and as a first start does where it may write bytecode.
        folders = [Path(package.__file__).parent for package in (django, plugline)]
        command = [
            sys.executable,
            "-m",
            "compileall",
            "-q",
            *folders,
            *(folder / name / "site0" for name in ("dropped", "listed")),
        ]
        subprocess.run([*command, *(folder / "listed" / name for name in _NAMES)], check=True)
        os.environ |= {"PLUGLINE_CACHE": str(folder / "cache")}
        for name in _NAMES:
            for side in ("dropped", "listed"):
                subprocess.run([*sides[side][:2], "makemigrations", name], check=True, stdout=subprocess.DEVNULL)
        for command in sides.values():
            checked = subprocess.run(command, check=True, capture_output=True, text=True)
            assert "no issues" in checked.stdout, checked
        cpu, wall = measure_commands(sides, rounds=_ROUNDS)
    return report(
        "django_folder",
        [Claim(name="manage.py check", side="dropped", base="listed", limit=1.10, seconds=cpu, wall_seconds=wall)],
    )


if __name__ == "__main__":
    sys.exit(main())

"""A plugin that is published: written by ``plugline new --package``, installed by pip, listed with its version, run by its name.

Not part of the tests' usual run, since it builds and installs: ``tests/integrations/run``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(200)


def run(folder: Path, *command: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_installed_listed_with_its_version_and_run(tmp_path: Path) -> None:
    run(tmp_path, "plugline", "new", "--package", "tidy-up")
    assert "tidy-up" not in run(tmp_path, "plugline", "list")
    built = ["pip", "install", "--no-build-isolation", "--no-deps", "--quiet", "./plugline-tidy-up"]
    try:
        run(tmp_path, *built)
        (line,) = [line for line in run(tmp_path, "plugline", "list").splitlines() if "tidy-up" in line]
        assert "0.1.0" in line
        (tmp_path / "in.ndjson").write_text('{"name": " Ada "}\n')
        (tmp_path / "pipeline.toml").write_text(
            'plugins = []\n[source]\npath = "in.ndjson"\n[[steps]]\nuse = "tidy-up"\n[sink]\npath = "out.ndjson"\n'
        )
        run(tmp_path, "plugline", "run", "-q", "pipeline.toml")
        assert json.loads((tmp_path / "out.ndjson").read_text()) == {"name": "Ada"}
    finally:
        run(tmp_path, "pip", "uninstall", "--quiet", "--yes", "plugline-tidy-up")


def test_routes_of_fastapi_and_flask_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "hello.py").write_text(
        "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n"
        "@router.get('/hello/{who}')\nasync def hello(who: str) -> dict[str, str]:\n    return {'hello': who}\n"
    )
    (tmp_path / "routes" / "broken.py").write_text("from fastapi import APIRouter\nrouter = APIRouter()\n1 / 0\n")
    (tmp_path / "fast.py").write_text(
        "from fastapi import FastAPI\nfrom fastapi.testclient import TestClient\nfrom plugline import Host\n\n"
        "app = FastAPI()\nfor plugin in Host('routes', interface=['router']).load_all():\n"
        "    app.include_router(plugin.load().router)\n\nprint(TestClient(app).get('/hello/ada').json())\n"
    )
    assert run(tmp_path, "fast") == "{'hello': 'ada'}\n"
    (tmp_path / "blueprints").mkdir()
    (tmp_path / "blueprints" / "hello.py").write_text(
        "from flask import Blueprint\n\nblueprint = Blueprint('hello', __name__)\n\n"
        "@blueprint.get('/hello/<who>')\ndef hello(who):\n    return {'hello': who}\n"
    )
    (tmp_path / "flasks.py").write_text(
        "from flask import Flask\nfrom plugline import Host\n\napp = Flask(__name__)\n"
        "for plugin in Host('blueprints').load_all():\n    app.register_blueprint(plugin.load().blueprint)\n\n"
        "print(app.test_client().get('/hello/ada').get_json())\n"
    )
    assert run(tmp_path, "flasks") == "{'hello': 'ada'}\n"

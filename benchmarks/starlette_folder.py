"""Claim: a folder of three middleware files, watched, serves at least 0.97 of what the same classes serve when the application names them.

Behind uvicorn, by the CPU time that the server takes for the same requests on one connection. Each middleware adds a header, as
people's do. Printed beside it, without a claim of anybody's: the same in process, where there is nothing but Starlette's nine microseconds to
compare with. Servers and sides take turns, a hundred requests each; both servers are started alike, seven times anew, and have answered
as many before.
Needs ``pip install plugline[starlette] uvicorn``, and Linux. Run: ``python benchmarks/starlette_folder.py``.
"""

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Claim, measure_calls, report
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from plugline.integrations.starlette import Plugins

_REQUESTS = 500
_PAIRS = 7  # of servers: two processes of the same program differ by some per cent for as long as they run
_SERVED = 100  # in turns as short as that, what else the machine does comes to both sides alike
_LAYER = """
class Layer:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-layer", b"{name}"))
            await send(message)

        await self.app(scope, receive, marked)
"""
_NAMES = ("first", "second", "third")


async def _answer(request: object) -> PlainTextResponse:
    return PlainTextResponse("answer")


def _requests(middleware: list[Any]) -> Callable[[], None]:
    app: Any = Starlette(routes=[Route("/", _answer)], middleware=middleware)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask() -> None:
        for _ in range(_REQUESTS):
            sent: list[dict[str, Any]] = []

            async def send(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
                sent.append(message)

            await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, receive, send)
            assert len(sent[0]["headers"]) == 2 + len(_NAMES)

    return lambda: asyncio.run(ask())


_SERVER = """
import sys
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def answer(request):
    return PlainTextResponse("answer")

if {folder}:
    from plugline.integrations.starlette import Plugins
    middleware = [Middleware(Plugins, folder="layers", watch=True)]
else:
    sys.path.insert(0, "layers")
    middleware = [Middleware(__import__(name).Layer) for name in {names}]
app = Starlette(routes=[Route("/", answer)], middleware=middleware)
"""


@contextlib.contextmanager
def _server(folder: Path, name: str, *, dropped: bool) -> Iterator[Callable[[], float]]:
    """Start a server; yield what serves the requests and returns the CPU seconds that it took."""
    (folder / f"{name}.py").write_text(_SERVER.format(folder=dropped, names=_NAMES), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--log-level", "warning", f"{name}:app"]
    with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}) as process:

        def serve() -> float:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            began = _cpu_seconds(process.pid)
            for _ in range(_SERVED):
                connection.request("GET", "/")
                answer = connection.getresponse()
                assert answer.status == 200
                assert len(answer.headers.get_all("x-layer") or ()) == len(_NAMES)
                answer.read()
            connection.close()
            return _cpu_seconds(process.pid) - began

        try:
            while process.poll() is None:
                with contextlib.suppress(ConnectionRefusedError):
                    serve()
                    break
                time.sleep(0.05)
            yield serve
        finally:
            process.terminate()


def _cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def main() -> int:
    """Measure, print and record."""
    with tempfile.TemporaryDirectory() as folder:
        layers = Path(folder) / "layers"
        layers.mkdir()
        written = []
        for name in _NAMES:
            text = _LAYER.format(name=name)
            (layers / f"{name}.py").write_text(text, encoding="utf-8")
            names: dict[str, Any] = {}
            exec(text, names)  # noqa: S102 - the same text, in the application
            written.append(Middleware(names["Layer"]))
        dropped: list[Any] = [Middleware(Plugins, folder=layers, watch=True)]
        bare = measure_calls({"folder": _requests(dropped), "written": _requests(written)}, rounds=101)
        served: dict[str, list[float]] = {"folder": [], "written": []}
        for _ in range(_PAIRS):
            with (
                _server(Path(folder), "dropped", dropped=True) as from_folder,
                _server(Path(folder), "named", dropped=False) as from_names,
            ):
                for number in range(40):
                    for side, serve in [("folder", from_folder), ("written", from_names)][:: 1 if number % 2 else -1]:
                        served[side].append(serve())
    claims = [
        Claim(name="a request to uvicorn", side="folder", base="written", limit=1 / 0.97, seconds=served),
        Claim(name="a request in process (no claim)", side="folder", base="written", limit=1.06, seconds=bare),
    ]
    return report("starlette_folder", claims)


if __name__ == "__main__":
    sys.exit(main())

"""Middleware from a folder in a real Starlette application, swapped under load, in process and behind uvicorn.

Not part of the tests' usual run, since the servers are installed for it: ``tests/integrations/run``.
"""

import asyncio
import contextlib
import gc
import inspect
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from plugline.integrations.starlette import Plugins

pytestmark = pytest.mark.timeout(120)

CLIENTS = 16
SWAPS = 30
CHUNKS = 5

# Stamps what is sent with its version, from several functions, so that a mixture of two versions would show.
STAMP = """
VERSION = {version}

def stamp(text):
    return text + b"[%d" % VERSION

class Stamp:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def stamped(message):
            if message["type"] == "http.response.start":
                message["headers"] = [(k, v) for k, v in message["headers"] if k != b"content-length"]
            if message.get("body"):
                message["body"] = stamp(message["body"]) + self.end()
            if message["type"] == "websocket.send":
                message["text"] = (stamp(message["text"].encode()) + self.end()).decode()
            await send(message)
        await self.app(scope, receive, stamped)

    def end(self):
        return b"|{version}]"
"""
COUNT = """
class Count:
    def __init__(self, app):
        self.app = app
        self.served = 0

    async def __call__(self, scope, receive, send):
        self.served += scope["type"] != "lifespan"
        await self.app(scope, receive, send)
"""
APP = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from plugline.integrations.starlette import Plugins

async def plain(request):
    return PlainTextResponse("plain")

async def stream(request):
    async def chunks():
        for _ in range({chunks}):
            yield b"chunk"
            await asyncio.sleep(0.005)
    return StreamingResponse(chunks())

async def echo(socket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)

app = Starlette(
    routes=[Route("/plain", plain), Route("/stream", stream), WebSocketRoute("/echo", echo)],
    middleware=[Middleware(Plugins, folder="plugins", watch=True)],
)
"""


def versions_in(text: str, pieces: int, word: str) -> int:
    """Return the one version that stamped each piece; fails where two did, or a piece is lost."""
    stamps = {piece.split("[")[1] for piece in text.split("]")[:-1]}
    assert len(stamps) == 1, text
    (stamp,) = stamps
    version = int(stamp.split("|")[0])
    assert text == f"{word}[{version}|{version}]" * pieces
    return version


class Served:
    """A real server in a process of its own."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.http = httpx.AsyncClient(
            base_url=f"http://{self.address}", timeout=30, limits=httpx.Limits(max_connections=64)
        )

    async def plain(self) -> int:
        response = await self.http.get("/plain")
        assert response.status_code == 200
        return versions_in(response.text, 1, "plain")

    async def stream(self) -> int:
        async with self.http.stream("GET", "/stream") as response:
            assert response.status_code == 200
            return versions_in("".join([text async for text in response.aiter_text()]), CHUNKS, "chunk")

    async def echo(self) -> int:
        async with websockets.connect(f"ws://{self.address}/echo") as connection:
            said = ""
            for _ in range(CHUNKS):
                await connection.send("echo")
                said += str(await connection.recv())
                await asyncio.sleep(0.005)
            return versions_in(said, CHUNKS, "echo")


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    (folder / "served.py").write_text(APP.format(chunks=CHUNKS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--log-level", "warning", "served:app"]
    with subprocess.Popen(command, cwd=folder) as process:  # noqa: ASYNC220 - nothing else runs yet
        server = Served(port)
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.ConnectError):
                    await server.http.get("/plain")
                    break
                await asyncio.sleep(0.05)  # until it listens, and half a minute at most
            yield server
        finally:
            await server.http.aclose()
            process.terminate()


class InProcess(Served):
    """The application itself: no server, no sockets."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def call(self, path: str, kind: str, incoming: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        waiting = iter(incoming)
        done = asyncio.Event()

        async def receive() -> dict[str, Any]:
            for message in waiting:
                await asyncio.sleep(0.005)
                return message
            await done.wait()
            return {"type": f"{kind}.disconnect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        scope = {"type": kind, "path": path, "headers": [], "query_string": b"", "method": "GET", "subprotocols": []}
        await self.app(scope, receive, send)
        done.set()
        return sent

    async def body(self, path: str, pieces: int, word: str) -> int:
        sent = await self.call(path, "http", [{"type": "http.request", "body": b"", "more_body": False}])
        assert sent[0]["status"] == 200
        return versions_in(b"".join(one.get("body", b"") for one in sent).decode(), pieces, word)

    async def plain(self) -> int:
        return await self.body("/plain", 1, "plain")

    async def stream(self) -> int:
        return await self.body("/stream", CHUNKS, "chunk")

    async def echo(self) -> int:
        texts: list[dict[str, Any]] = [{"type": "websocket.receive", "text": "echo"} for _ in range(CHUNKS)]
        incoming = [{"type": "websocket.connect"}, *texts, {"type": "websocket.disconnect", "code": 1000}]
        sent = await self.call("/echo", "websocket", incoming)
        return versions_in("".join(one.get("text", "") for one in sent), CHUNKS, "echo")


@contextlib.asynccontextmanager
async def in_process(folder: Path) -> AsyncIterator[Served]:
    async def plain(request: Any) -> PlainTextResponse:
        return PlainTextResponse("plain")

    async def stream(request: Any) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(CHUNKS):
                yield b"chunk"
                await asyncio.sleep(0.005)

        return StreamingResponse(chunks())

    async def echo(connection: WebSocket) -> None:
        await connection.accept()
        async for text in connection.iter_text():
            await connection.send_text(text)

    routes = [Route("/plain", plain), Route("/stream", stream), WebSocketRoute("/echo", echo)]
    made: list[Plugins] = []

    def plugins(app: Any, **options: Any) -> Plugins:
        made.append(Plugins(app, **options))
        return made[-1]

    made_by: Any = plugins
    middleware = Middleware(made_by, folder=folder / "plugins", watch=True)
    yield InProcess(Starlette(routes=routes, middleware=[middleware]))
    made[0].close()


@pytest.mark.parametrize("start", [in_process, served], ids=["in process", "behind uvicorn"])
def test_thirty_swaps_under_sixteen_clients_fail_no_request(
    tmp_path: Path, start: Callable[[Path], contextlib.AbstractAsyncContextManager[Served]]
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    stamp = plugins / "stamp.py"
    stamp.write_text(STAMP.format(version=0))
    (plugins / "count.py").write_text(COUNT)

    async def clients(server: Served) -> dict[str, list[int]]:
        seen: dict[str, list[int]] = {"plain": [], "stream": [], "echo": []}
        over = asyncio.Event()

        async def client(kind: str, ask: Callable[[], Awaitable[int]]) -> None:
            while not over.is_set():
                seen[kind].append(await ask())
                await asyncio.sleep(0)  # what is asked in process may never have waited for anything

        async def swap() -> None:
            good = 0
            for version in range(1, SWAPS + 1):
                await asyncio.sleep(0.02)
                text = STAMP.format(version=version)
                if version % 3 == 1:
                    stamp.write_text(text)
                elif version % 3 == 2:
                    (plugins / "stamp.tmp").write_text(text)
                    (plugins / "stamp.tmp").rename(stamp)
                else:  # a version that does not work, in one of three ways
                    broken = [text + "\n1 / 0\n", text[:60], text.replace("self.app = app", "raise OSError")]
                    stamp.write_text(broken[version // 3 % 3])
                good = version if version % 3 else good
                # What was saved before is what the very next request sees.
                assert await server.plain() == good
            over.set()

        asks = [("plain", server.plain), ("stream", server.stream), ("echo", server.echo)]
        await asyncio.gather(swap(), *(client(*asks[number % 3]) for number in range(CLIENTS)))
        return seen

    async def all_of_it() -> dict[str, list[int]]:
        async with start(tmp_path) as server:
            return await clients(server)

    seen = asyncio.run(all_of_it())
    print({kind: len(versions) for kind, versions in seen.items()})  # noqa: T201 - the counts are part of what is shown
    for versions in seen.values():
        assert len(versions) > SWAPS
        assert len(set(versions)) > 5
        assert all(version % 3 or version == 0 for version in versions)


def test_files_come_and_go_and_the_others_keep_their_instances(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    (tmp_path / "count.py").write_text(COUNT)
    plugins = Plugins(app, tmp_path, watch=True)
    count: Any = plugins.chain.entry

    async def serve() -> None:
        await plugins({"type": "http"}, None, None)  # type: ignore[arg-type]

    asyncio.run(serve())
    (tmp_path / "stamp.py").write_text(STAMP.format(version=1))
    asyncio.run(serve())
    assert list(plugins.names) == ["count", "stamp"]
    assert id(plugins.chain.entry) == id(count)  # "is" would tell mypy that it is an application
    assert count.served == 2
    (tmp_path / "stamp.py").unlink()
    asyncio.run(serve())
    assert list(plugins.names) == ["count"]
    assert count.served == 3
    (tmp_path / "count.py").unlink()
    asyncio.run(serve())
    assert list(plugins.names) == []
    plugins.close()


def test_a_change_of_what_they_share_makes_them_anew(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    (tmp_path / "_shared.py").write_text("NUMBER = 1\n")
    (tmp_path / "one.py").write_text(
        "from ._shared import NUMBER\n" + COUNT.replace("self.served = 0", "self.served, self.number = 0, NUMBER")
    )
    plugins = Plugins(app, tmp_path, watch=True)
    first: Any = plugins.chain.entry
    (tmp_path / "_shared.py").write_text("NUMBER = 2\n")
    asyncio.run(plugins({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    second: Any = plugins.chain.entry
    assert (first.number, second.number) == (1, 2)
    plugins.close()


def test_versions_that_no_request_uses_are_let_go(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.endswith(".stamp") and tmp_path.name in name]

    (tmp_path / "stamp.py").write_text(STAMP.format(version=0))
    plugins = Plugins(app, tmp_path, watch=True)
    for version in range(1, 40):
        (tmp_path / "stamp.py").write_text(STAMP.format(version=version))
        asyncio.run(plugins({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    gc.collect()
    asyncio.run(plugins({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert len(loaded()) == 1
    plugins.close()
    assert not loaded()


def test_servers_that_look_take_it_for_an_application_of_the_third_version(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    plugins = Plugins(app, tmp_path)
    assert inspect.iscoroutinefunction(plugins.__call__)
    called = plugins({"type": "http"}, None, None)  # type: ignore[arg-type]
    assert asyncio.iscoroutine(called)
    asyncio.run(called)
    plugins.close()


AWAITABLE = """
import asyncio

class Awaitable:
    def __init__(self, app):
        self.app = app

    def __call__(self, scope, receive, send):
        return asyncio.ensure_future(self.app(scope, receive, send))
"""


def test_a_server_may_make_a_task_of_a_request_whatever_the_middleware_returns(tmp_path: Path) -> None:
    served = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.append(scope["type"])

    (tmp_path / "awaitable.py").write_text(AWAITABLE)
    plugins = Plugins(app, tmp_path)

    async def serve() -> None:
        called: Any = plugins({"type": "http"}, None, None)  # type: ignore[arg-type]
        await asyncio.create_task(called)

    asyncio.run(serve())
    assert served == ["http"]
    plugins.close()


FORKED = """
import asyncio, os, sys
from pathlib import Path
from plugline.integrations.starlette import Plugins

async def app(scope, receive, send):
    pass

folder = Path(sys.argv[1])
plugins = Plugins(app, folder, watch=True)
children = []
for _ in range(3):
    ours, theirs = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        for _ in range(4):
            os.read(ours[0], 1)
            asyncio.run(plugins({"type": "http"}, None, None))
            os.write(theirs[1], " ".join(plugins.names).encode() + b".")
        os._exit(0)
    children.append((child, ours[1], theirs[0]))
seen = []
for number in range(4):
    (folder / f"p{number}.py").write_text(sys.argv[2])
    for _, tell, hear in children:
        os.write(tell, b"!")
        seen.append(os.read(hear, 1000).decode())
    asyncio.run(plugins({"type": "http"}, None, None))
    seen.append(" ".join(plugins.names) + ".")
for child, _, _ in children:
    os.waitpid(child, 0)
expected = [" ".join(f"p{at}" for at in range(number + 1)) + "." for number in range(4) for _ in range(4)]
sys.exit(0 if seen == expected else f"{seen}")
"""


def test_workers_that_are_forked_from_one_process_see_each_change(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    command = [sys.executable, "-c", FORKED, str(tmp_path / "plugins"), COUNT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


BESIDE = """
class Counter:
    def __init__(self):
        self.number = 0

    def __call__(self):
        self.number += 1
        return self.number


class Numbering:
    def __init__(self, app):
        self.app = app
        self.counter = Counter()

    async def __call__(self, scope, receive, send):
        scope["numbers"].append(self.counter())
        await self.app(scope, receive, send)


Alias = Numbering
"""


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"one.py": BESIDE}, id="in a file"),
        pytest.param({"one/__init__.py": "from .made import Numbering\n", "one/made.py": BESIDE}, id="in a package"),
    ],
)
def test_a_class_that_takes_a_request_is_taken_once_and_one_that_does_not_is_not(
    tmp_path: Path, files: dict[str, str]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    plugins = Plugins(app, tmp_path)
    assert plugins.findings == ()
    numbers: list[int] = []
    asyncio.run(plugins({"type": "http", "numbers": numbers}, None, None))  # type: ignore[arg-type]
    assert numbers == [1]
    plugins.close()


def test_options_for_a_file_that_is_not_there_are_told(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    (tmp_path / "one.py").write_text(BESIDE)
    with contextlib.closing(Plugins(app, tmp_path, options={"onne": {"counter": 1}})) as plugins:
        (finding,) = plugins.findings
    assert (finding.code, finding.hint) == ("P403", "did you mean 'one'? known files are one")

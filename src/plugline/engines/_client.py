"""Tasks of Ray by way of a process that may end, which is told when it does; see :mod:`plugline.engines._ray`."""

import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any

from plugline.engines import _remote
from plugline.records import Split

_MOST_END_SECONDS = 30.0  # Ray takes one or two to end a cluster of this machine


class Client:
    """A process that is connected to a cluster.

    Args:
        where: What to call the cluster.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._asked = 0
        self._connection: Connection | None
        self._connection, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            program = (
                f"import sys; sys.path[:] = {sys.path!r}; from plugline.engines._ray import serve; serve({number})"
            )
            # What plugins print is talk: standard output may be where the records go.
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], pass_fds=[number], stdin=subprocess.DEVNULL, stdout=2
            )

    def ask(self, name: str, *arguments: object) -> Any:
        """Have something done, and return what comes of it.

        Raises:
            ConnectionError: The process has gone.
            BaseException: What was raised there.
        """
        self._asked += 1
        self.tell(name, *arguments, number=self._asked)
        assert self._connection is not None  # noqa: S101 - else it could not have been told
        answer = self._answer(self._connection)
        if isinstance(answer, _remote.Raised):
            raise answer.error()
        return answer

    def _answer(self, connection: Connection) -> object:
        while True:
            try:
                number, answer = connection.recv()
            except (EOFError, OSError):
                raise self._gone() from None
            except BaseException:
                self._hang_up()  # in the middle of an answer
                raise
            if number == self._asked:  # one that nobody waited for may come before
                return answer

    def tell(self, name: str, *arguments: object, number: int = 0) -> None:
        """Have something done of which nothing comes, or not at this moment.

        Raises:
            ConnectionError: The process has gone.
        """
        if self._connection is None:
            raise self._gone()
        try:
            self._connection.send((number, name, arguments))
        except OSError:
            raise self._gone() from None
        except BaseException:
            self._hang_up()
            raise

    def _gone(self) -> ConnectionError:
        self._hang_up()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_MOST_END_SECONDS)
        return ConnectionError(f"the scheduler of {self._where} went away, and Ray ended its client")

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End the process, and with it a cluster that it has started."""
        self._hang_up()
        try:
            self._process.wait(timeout=_MOST_END_SECONDS)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise


class FarTasks:
    """See :class:`~plugline.engines._remote.Tasks`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._started = 0

    def start(self, splits: list[Split]) -> int:
        self._started += 1
        self._client.tell("start", self._started, splits)
        return self._started

    def first_done(self, tasks: list[int]) -> int:
        at: int = self._client.ask("first_done", tasks)
        return at

    def done(self, task: int, splits: list[Split]) -> _remote.Done:
        done: _remote.Done = self._client.ask("done", task, splits)
        return done

    def cancel(self, tasks: list[int]) -> None:
        with suppress(ConnectionError):  # nobody works at them then
            self._client.tell("cancel", tasks)

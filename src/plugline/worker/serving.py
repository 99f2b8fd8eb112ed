"""Requests to answers: the loop of a worker. One request at a time, in the order in which they come."""

import os
import sys
from time import perf_counter

from plugline.blame import describe_error, traceback_text
from plugline.loading import running
from plugline.typed import TYPE_CHECKING, Callable, Iterator, Mapping
from plugline.worker.frames import answer_cap, read_frame, write_frame
from plugline.worker.loaded import Bound, Sent
from plugline.worker.packing import Unsendable, pack, unpack
from plugline.worker.talk import flush_streams

if TYPE_CHECKING:
    from plugline.contract.settings import Problem

_SMALL_BYTES = 2048  # longer messages are msgspec's: from there on it is faster, its import included
_LARGE_BYTES = 2**17  # from there on the C library asks the kernel for each block
_FLUSH_SECONDS = 0.02  # results older than that leave: what a worker has when it dies is lost
_MAX_TRACEBACKS = 20  # of one batch
_SAMPLED = 7  # how many records pass between two looks at the clock, less one

Call = Callable[..., object]


class Server:
    """Serves one plugin until its host has no more requests."""

    def __init__(self, requests: int, answers: int, page: memoryview, sent: Sent, bound: Bound) -> None:
        self._requests = requests
        self._answers = answers
        self._page = page
        self._sent = sent
        self._bound = bound
        self._instances: dict[int, object] = {}
        self._cap = 0
        self._sources = {
            os.path.join(sent.root, *relative.split("/")): content for relative, content in sent.files.items()
        }

    def run(self) -> None:
        """Answer until the host says that it is enough, or closes the pipe."""
        while (frame := read_frame(self._requests)) is not None:
            self._cap = answer_cap(len(frame))
            tag, sequence, *rest = self._decode(frame)
            if tag == "batch":
                self._batch(sequence, *rest)
            elif tag == "call":
                self._call(sequence, *rest)
            elif tag == "get":
                self._get(sequence, *rest)
            elif tag == "make":
                self._make(sequence, *rest)
            else:
                break

    def _decode(self, frame: "bytes | bytearray") -> list:  # type: ignore[type-arg]  # as the wire's page has it
        if len(frame) <= _SMALL_BYTES and "msgspec" not in sys.modules:
            return unpack(bytes(frame))  # type: ignore[return-value]
        from plugline.worker.codec import decode_request  # noqa: PLC0415 - four bare starts

        if len(frame) >= _LARGE_BYTES:
            from plugline.worker.native import keep_freed_memory  # noqa: PLC0415 - a third of a bare start

            keep_freed_memory()
        return decode_request(frame)  # type: ignore[return-value]

    def _send(self, message: list[object]) -> None:
        """Send an answer, or, where it cannot be sent, what keeps it from that."""
        try:
            content = self._encode(message)
            wrong = f"returned {len(content):,} bytes, at most {self._cap:,} may cross"
        except Unsendable as error:
            where = error.where.partition("]")[2]  # without its place in the message
            content, wrong = b"", f"returned what cannot cross: {Unsendable(where, error.said)}"
        if not 0 < len(content) <= self._cap:
            content = pack(["raised", message[1], "TypeError", wrong, self._sent.path, None, "", ["TypeError"]])
        flush_streams()
        write_frame(self._answers, content)

    def _encode(self, message: list[object]) -> bytes:
        if "msgspec" not in sys.modules:
            return pack(message)
        from plugline.worker.codec import encode  # noqa: PLC0415 - see above

        return encode(message)

    def _make(self, sequence: int, number: int, settings: Mapping[str, object], gone: list[int]) -> None:
        for one in gone:
            self._instances.pop(one, None)
        try:
            self._instances[number], problems = self._instance(settings)
        except BaseException as error:  # noqa: BLE001 - foreign code: a class's own construction
            self._raise(sequence, error)
            return
        self._send(["made", sequence, problems])

    def _instance(self, settings: Mapping[str, object]) -> tuple[object, list[object]]:
        value = self._bound.value
        if not isinstance(value, type):
            if not settings:
                return value, []
            message = f"is a module with functions and has no settings, {', '.join(sorted(settings))} was given"
            return None, [[[], "C101", message, None]]
        from plugline.contract.settings import construct  # noqa: PLC0415 - dataclasses and typing's introspection

        made, problems = construct(value, settings)
        lacking = [name for name in self._bound.members if not problems and not hasattr(made, name)]
        if lacking:
            message = f"an instance of {value.__name__} is missing attributes {lacking}"
            return None, [[[], "P201", message, None]]
        return made, [_problem(problem) for problem in problems]

    def _get(self, sequence: int, number: int, name: str) -> None:
        try:
            value = getattr(self._instances[number], name)
        except BaseException as error:  # noqa: BLE001 - foreign code: a property, or a module's __getattr__
            self._raise(sequence, error)
            return
        self._send(["done", sequence, value])

    def _call(
        self, sequence: int, number: int, method: str, arguments: list[object], keywords: Mapping[str, object]
    ) -> None:
        self._page[0] = sequence << 32
        try:
            value = getattr(self._instances[number], method)(*arguments, **keywords)
            if hasattr(type(value), "__next__"):
                value = list(value)
        except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises is its answer
            self._raise(sequence, error)
            return
        if hasattr(type(value), "__await__"):
            close_quietly(value)
        self._send(["done", sequence, value])

    def _raise(self, sequence: int, error: BaseException) -> None:
        self._send(["raised", sequence, *self.told(error, with_traceback=True), _bases(error)])

    def told(self, error: BaseException, *, with_traceback: bool) -> list[object]:
        """Return what is told of an exception: kind, message, path, line, traceback."""
        if type(error) is MemoryError or type(error) is OSError:
            _let_go(error)
        if with_traceback and self._sources:
            _show_sources(self._sources)
            self._sources = {}
        text = describe_error(error, self._sent.path)
        hint = running.explain(error) if with_traceback and running.explain is not None else None
        return [
            text.kind[:200],
            f"{text.message} ({hint})".lstrip() if hint is not None else text.message,
            text.path,
            text.line,
            traceback_text(error) if with_traceback else "",
        ]

    # ------------------------------------------------------------------ batches

    def _batch(self, sequence: int, number: int, method: str, records: list[object]) -> None:
        batch = _Batch(sequence, self, getattr(self._instances[number], method))
        batch.run(records, self._page, sequence << 32)

    def send_part(self, sequence: int, start: int, results: list[object], failures: list[object], last: bool) -> None:  # noqa: FBT001
        """Send what became of records ``start`` and following; in two messages or more where one would be too long."""
        from plugline.worker.codec import are_plain_results, encode, encode_plain  # noqa: PLC0415 - four bare starts

        message: list[object] = ["batched", sequence, start, results, failures, last]
        try:
            content = encode_plain(message) if are_plain_results(results) else encode(message)
            reason = f"returned {len(content):,} bytes, at most {self._cap:,} may cross"
            fits = len(content) <= self._cap
        except Unsendable as error:
            content, fits = b"", False
            _, _, where = error.where.partition("]")
            reason = f"returned what cannot cross: {Unsendable(where.partition(']')[2], error.said)}"
        if fits:
            write_frame(self._answers, content)
        elif len(results) > 1:
            middle = len(results) // 2
            early = [failure for failure in failures if failure[0] < start + middle]  # type: ignore[index]
            late = [failure for failure in failures if failure[0] >= start + middle]  # type: ignore[index]
            self.send_part(sequence, start, results[:middle], early, last=False)
            self.send_part(sequence, start + middle, results[middle:], late, last=last)
        else:
            told: list[object] = [start, "TypeError", reason, self._sent.path, None, ""]
            self.send_part(sequence, start, [None], [told], last=last)


class _Batch:
    """One batch while it is worked on."""

    def __init__(self, sequence: int, server: Server, call: Call) -> None:
        self._sequence = sequence
        self._server = server
        self._call = call
        self._start = 0
        self._results: list[object] = []
        self._failures: list[object] = []
        self._tracebacks = 0

    def run(self, records: list[object], page: memoryview, base: int) -> None:
        """Pass the records through, and send what became of them, some at a time where that takes long."""
        call = self._call
        append = self._results.append
        flush_at = perf_counter() + _FLUSH_SECONDS
        final = len(records) - 1
        for index, record in enumerate(records):
            page[0] = base | index
            try:
                value = call(record)
                if value.__class__ is not dict and value is not None:
                    value = plain_result(value)
            except BaseException as error:  # noqa: BLE001 - foreign code: what it raises is this record's failure
                self._fail(index, error)
                value = None
            append(value)
            if index != final and index & _SAMPLED == _SAMPLED and perf_counter() >= flush_at:
                self._flush(last=False)
                append = self._results.append
                flush_at = perf_counter() + _FLUSH_SECONDS
        flush_streams()
        self._flush(last=True)
        page[0] = base | len(records)

    def _flush(self, *, last: bool) -> None:
        results, self._results = self._results, []
        failures, self._failures = self._failures, []
        self._server.send_part(self._sequence, self._start, results, failures, last)
        self._start += len(results)

    def _fail(self, index: int, error: BaseException) -> None:
        self._tracebacks += 1
        told = self._server.told(error, with_traceback=self._tracebacks <= _MAX_TRACEBACKS)
        self._failures.append([index, *told])


def plain_result(value: object) -> object:
    """Return what a step returned as it can cross: what is an iterable of records becomes a list of them.

    What is neither goes as it is, and the record loop says what is wrong with it, as it does without a worker.
    """
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return [dict(item) if isinstance(item, dict) else item for item in value]
    if isinstance(value, (str, bytes, bytearray, memoryview)) or hasattr(type(value), "keys"):
        return value
    if hasattr(type(value), "__await__"):
        close_quietly(value)
        message = (
            "returned a coroutine, expected a dict, None or an iterable of dicts; a step cannot be an async function"
        )
        raise TypeError(message)
    try:
        items: Iterator[object] = iter(value)  # type: ignore[call-overload]
    except TypeError:
        return value
    # A generator may yield one dict again and again, changed in between.
    return [dict(item) if isinstance(item, dict) else item for item in items]


def close_quietly(coroutine: object) -> None:
    """Close a coroutine that nobody will await, which Python would warn of."""
    close = getattr(coroutine, "close", None)
    if close is not None:
        close()


def _show_sources(sources: Mapping[str, bytes]) -> None:
    """Let tracebacks show the lines of files that may not be read here."""
    import linecache  # noqa: PLC0415 - for the first traceback

    for path, content in sources.items():
        lines = content.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[path] = (len(content), None, lines, path)


def _let_go(error: BaseException) -> None:
    """Empty the frames that an exception holds: telling of it takes memory, and a file or two, that they use up."""
    traceback = error.__traceback__
    while traceback is not None:
        try:  # noqa: SIM105 - contextlib costs an import where there may be no memory for it
            traceback.tb_frame.clear()
        except RuntimeError:
            pass  # it runs still: this module's own
        traceback = traceback.tb_next


def _problem(problem: "Problem") -> list[object]:
    return [list(problem.path), problem.code, problem.message, problem.hint]


def _bases(error: BaseException) -> list[str]:
    """Return the names of the built-in classes that an exception's class derives from, the nearest first."""
    return [one.__name__ for one in type(error).__mro__ if one.__module__ == "builtins" and one is not object][:10]


def end_quietly() -> None:
    """End the process: what is registered to run at the end is run, and what hangs there is the host's to kill."""
    import atexit  # noqa: PLC0415 - needed once

    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them and then not wait for threads
    finally:
        flush_streams()
        os._exit(0)

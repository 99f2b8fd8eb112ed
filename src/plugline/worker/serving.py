"""Requests to answers: the loop of a worker. One request at a time, in the order in which they come."""

import os
import sys
from time import perf_counter

from plugline.blame import describe_error, traceback_text
from plugline.findings import Finding
from plugline.loading import running
from plugline.typed import TYPE_CHECKING, Callable, Iterator, Mapping
from plugline.worker.frames import MOST_UNANSWERED, answer_cap, read_frame, write_frame
from plugline.worker.loaded import Bound, Sent, close_sent, open_sent
from plugline.worker.packing import Unsendable, pack, unpack
from plugline.worker.talk import flush_streams

if TYPE_CHECKING:
    from plugline.contract.settings import Problem

_SMALL_BYTES = 2048  # longer messages are msgspec's: from there on it is faster, its import included
_LARGE_BYTES = 2**17  # from there on the C library asks the kernel for each block
_FLUSH_SECONDS = 0.02  # results older than that leave: what a worker has when it dies is lost
_MAX_TRACEBACKS = 20  # of one batch
_SAMPLED = MOST_UNANSWERED - 1  # a mask: how many records pass between two looks at the clock

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
        self._plain: dict[int, object] = {}  # those without settings, which are told when they are to end
        self._cap = 0

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
            elif tag == "open":
                self._open(sequence, *rest)
            else:
                close_sent(self._sent, self._bound, self._plain.values())
                break

    def _open(self, sequence: int, generation: int, reason: str) -> None:
        failed = open_sent(self._sent, self._bound, generation, reason)
        self._send(["done", sequence, None] if failed is None else ["failed", sequence, [finding_to_data(failed)]])

    def _decode(self, frame: "bytes | bytearray") -> list:  # type: ignore[type-arg]  # as the wire's page has it
        if len(frame) <= _SMALL_BYTES and "msgspec" not in sys.modules:
            return unpack(bytes(frame))  # type: ignore[return-value]
        from plugline.worker.codec import decode_request  # four bare starts

        if len(frame) >= _LARGE_BYTES:
            from plugline.worker.native import keep_freed_memory  # a third of a bare start

            keep_freed_memory()
        return decode_request(frame)  # type: ignore[return-value]

    def _send(self, message: list[object]) -> None:
        """Send an answer, or, where it cannot be sent, what keeps it from that."""
        encode = self._encoder()  # where a plugin has broken that, it is better to end
        kind = "TypeError"
        try:
            content = encode(message)
            wrong = f"returned {len(content):,} bytes, at most {self._cap:,} may cross"
        except Unsendable as error:
            where = error.where.partition("]")[2]  # without its place in the message
            content, wrong = b"", f"returned what cannot cross: {Unsendable(where, error.said)}"
        except BaseException as error:  # noqa: BLE001 - foreign code: see _unencodable
            content, kind, wrong = b"", *_unencodable(error)
        if not 0 < len(content) <= self._cap:
            del message[2:]  # what is large goes before something is made of it
            content = pack(["raised", message[1], kind, wrong, self._sent.path, None, "", [kind]])
        flush_streams()
        write_frame(self._answers, content)

    def _encoder(self) -> Callable[[list[object]], bytes]:
        if "msgspec" not in sys.modules:
            return pack
        from plugline.worker.codec import encode

        return encode

    def _make(self, sequence: int, number: int, settings: Mapping[str, object], gone: list[int]) -> None:
        for one in gone:
            self._instances.pop(one, None)
            self._plain.pop(one, None)
        try:
            self._instances[number], problems = self._instance(settings)
            if not settings and not problems:
                self._plain[number] = self._instances[number]
            stateful = _is_stateful(self._instances[number])
        except BaseException as error:  # noqa: BLE001 - foreign code: a class's own construction
            self._raise(sequence, error)
            return
        self._send(["made", sequence, problems, stateful])

    def _instance(self, settings: Mapping[str, object]) -> tuple[object, list[object]]:
        value = self._bound.value
        if not isinstance(value, type):
            if not settings:
                return value, []
            message = f"is a module with functions and has no settings, {', '.join(sorted(settings))} was given"
            return None, [[[], "C101", message, "load it without"]]
        from plugline.contract.settings import construct  # dataclasses and typing's introspection

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
            if method == "transform_batch" and arguments and hasattr(arguments[0], "schema"):
                from plugline.records.columns import table_of  # for steps that take tables only

                value = table_of(value, arguments[0].schema.names)
            elif hasattr(type(value), "__next__"):
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
        text = describe_error(error, self._sent.path)
        hint = running.explain(error) if with_traceback and running.explain is not None else None
        line = text.line
        return [
            sayable(text.kind, 200),
            f"{text.message} ({hint})".lstrip() if hint is not None else text.message,
            None if text.path is None else sayable(text.path),
            line if line is not None and 0 <= line < 2**31 else None,
            traceback_text(error) if with_traceback else "",
        ]

    # ------------------------------------------------------------------ batches

    def _batch(self, sequence: int, number: int, method: str, records: list[object]) -> None:
        batch = _Batch(sequence, self, getattr(self._instances[number], method))
        batch.run(records, self._page, sequence << 32)

    def send_part(self, sequence: int, start: int, results: list[object], failures: list[object], last: bool) -> None:  # noqa: FBT001
        """Send what became of records ``start`` and following; in two messages or more where one would be too long."""
        from plugline.worker.codec import are_plain_results, encode, encode_plain  # four bare starts

        message: list[object] = ["batched", sequence, start, results, failures, last]
        kind = "TypeError"
        try:
            content = encode_plain(message) if are_plain_results(results) else encode(message)
            reason = f"returned {len(content):,} bytes, at most {self._cap:,} may cross"
            fits = len(content) <= self._cap
        except Unsendable as error:
            content, fits = b"", False
            _, _, where = error.where.partition("]")
            reason = f"returned what cannot cross: {Unsendable(where.partition(']')[2], error.said)}"
        except BaseException as error:  # noqa: BLE001 - foreign code: see _unencodable
            content, fits = b"", False
            kind, reason = _unencodable(error)
        if fits:
            write_frame(self._answers, content)
        elif len(results) > 1:
            middle = len(results) // 2
            early = [failure for failure in failures if failure[0] < start + middle]  # type: ignore[index]
            late = [failure for failure in failures if failure[0] >= start + middle]  # type: ignore[index]
            self.send_part(sequence, start, results[:middle], early, last=False)
            self.send_part(sequence, start + middle, results[middle:], late, last=last)
        else:
            told: list[object] = [start, kind, reason, self._sent.path, None, ""]
            self.send_part(sequence, start, [None], [told], last=last)


class _Batch:
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
        # While results are looked at it is at none of the records: whose result it dies on is found one by one.
        at_none = base | len(records)
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
                page[0] = at_none
                self._flush(last=False)
                append = self._results.append
                flush_at = perf_counter() + _FLUSH_SECONDS
        page[0] = at_none
        flush_streams()
        self._flush(last=True)

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


def _let_go(error: BaseException) -> None:
    """Empty the frames that an exception holds: telling of it takes memory, and a file or two, that they use up."""
    traceback = error.__traceback__
    while traceback is not None:
        try:  # noqa: SIM105 - contextlib costs an import where there may be no memory for it
            traceback.tb_frame.clear()
        except RuntimeError:
            pass  # it runs still: this module's own
        traceback = traceback.tb_next


def sayable(text: str, most: int = 10_000) -> str:
    """Return a plugin's text as one that can be sent and told: no longer than that, and without halves of characters."""
    return str.__str__(text)[:most].encode("utf-8", "backslashreplace").decode()[:most]


def finding_to_data(finding: Finding) -> list[object]:
    """Return a finding for the wire."""
    place = finding.place
    texts = (finding.hint, finding.source_line)
    return [
        finding.code,
        sayable(finding.message),
        sayable(place.path),
        place.line,
        place.column,
        *(None if text is None else sayable(text) for text in texts),
    ]


def _is_stateful(value: object) -> bool:
    """Whether an instance or its module, or a module with functions, says that it depends on what it was given before."""
    module = sys.modules.get(getattr(value, "__module__", ""))
    return bool(getattr(value, "STATEFUL", False) or getattr(module, "STATEFUL", False))


def _problem(problem: "Problem") -> list[object]:
    path = [sayable(one, 200) if isinstance(one, str) else one for one in problem.path]
    return [path, problem.code, sayable(problem.message), None if problem.hint is None else sayable(problem.hint)]


def _bases(error: BaseException) -> list[str]:
    """Return the names of the built-in classes that an exception's class derives from, the nearest first."""
    import builtins  # for calls that fail only

    names = (type.__dict__["__name__"].__get__(one) for one in type.__dict__["__mro__"].__get__(type(error)))
    return [name for name in names if name != "object" and isinstance(vars(builtins).get(name), type)][:10]


def _unencodable(error: BaseException) -> tuple[str, str]:
    """Return the kind and the message of what kept a result from being sent.

    What is not plain is looked at in Python: its class may do anything then, a thread of the plugin may change it
    meanwhile, and memory may be out.
    """
    if isinstance(error, MemoryError):
        _let_go(error)
        return "MemoryError", "there is no memory left to send what was returned in"
    return "TypeError", f"returned what cannot cross: looking at it raised {sayable(describe_error(error).said)}"


def end_quietly() -> None:
    """End the process: what is registered to run at the end is run, and what hangs there is the host's to kill."""
    import atexit  # needed once

    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them and then not wait for threads
    finally:
        flush_streams()
        os._exit(0)

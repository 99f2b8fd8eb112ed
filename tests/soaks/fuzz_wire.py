"""Frames with flipped, cut, doubled and spliced bytes, to a host's end that must call each of them an answer or malformed.

python tests/soaks/fuzz_wire.py [FRAMES] [SEED]

Every frame goes twice: to the decoder, and over a real pipe through the channel that a host reads. 100,000 frames, the
default, take about a minute. It ends with a table of what they came to, and with code 1 if one of them was taken for
anything else, took more than a second, or let the process grow by more than 200 MiB.
"""

import datetime
import decimal
import os
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from plugline.isolation.answers import Answer, decode_answer
from plugline.isolation.channel import Channel, Ended, Patience, TookTooLong
from plugline.isolation.process import Pipes
from plugline.isolation.talk import Talk
from plugline.worker.codec import encode
from plugline.worker.packing import Malformed, pack

_SLOW_SECONDS = 1.0
_GROWTH_KIB = 200 * 1024


def seeds() -> list[bytes]:
    """Return valid answers of every kind, from which the others are made."""
    record = {"name": "Ada", "n": 1, "x": 1.5, "ok": True, "none": None, "raw": b"\x00\xff", "list": [1, {"a": []}]}
    odd = {
        "when": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        "d": decimal.Decimal("1.5"),
        "t": (1, (2,)),
        "s": {1, 2},
    }
    odd |= {"big": 2**100, "pairs": {1: 2, (3,): 4}, "half": "\ud800", "delta": datetime.timedelta(1), "c": 1j}
    finding = ["P301", "raised", "a.py", 3, None, None, "line"]
    answers: list[list[object]] = [
        ["ready", 0, 1, "0.1.0", [3, 11, 7], 123],
        ["refused", 0, "no Landlock", "use another level"],
        ["loaded", 0, 0, False, ["transform", "describe"]],
        ["declined", 0, "no display"],
        ["failed", 0, [finding, finding]],
        ["made", 1, [[["with", 0], "C101", "unknown", None]]],
        ["done", 1, record],
        ["done", 1, odd],
        ["raised", 1, "ValueError", "no", "a.py", 3, "Traceback", ["ValueError"]],
        ["batched", 1, 0, [record] * 20, [[3, "KeyError", "'x'", "a.py", 1, ""]], True],
        ["batched", 1, 0, [odd, None, [record, record]], [], False],
    ]
    return [encode(answer) for answer in answers] + [pack(answer) for answer in answers]


def mutated(source: random.Random, frames: list[bytes]) -> bytes:
    """Return one of the frames with something wrong with it; now and then nothing is."""
    data = bytearray(source.choice(frames))
    for _ in range(source.choice((1, 1, 1, 2, 4, 16))):
        at = source.randrange(len(data)) if data else 0
        match source.randrange(8):
            case 0:
                data[at : at + 1] = bytes((data[at] ^ (1 << source.randrange(8)),)) if data else b""
            case 1:
                data[at : at + 1] = bytes((source.randrange(256),))
            case 2:
                del data[at : at + source.randrange(1, 9)]
            case 3:
                data[at:at] = source.randbytes(source.randrange(1, 9))
            case 4:
                data[at:at] = data[at : at + source.randrange(1, 40)]
            case 5:
                data = data[:at]
            case 6:
                other = source.choice(frames)
                data = data[:at] + other[source.randrange(len(other)) :]
            case _:
                # Heads of containers, texts, binaries and extensions that promise more than there is.
                data[at : at + 1] = source.choice((b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")) + source.randbytes(4)
    return bytes(data)


def judge(data: bytes) -> str:
    """Return what the decoder makes of a frame.

    Raises:
        Exception: Whatever it must not raise.
    """
    try:
        answer = decode_answer(data)
    except Malformed:
        return "malformed"
    assert isinstance(answer, Answer)
    return type(answer).__name__


class Line:
    """A host's end of a pipe, on whose other end is this program."""

    def __init__(self) -> None:
        self._pidfd = os.pidfd_open(os.getpid())
        self._open()

    def _open(self) -> None:
        self._pipes = Pipes()
        talk = Talk("plugins.fuzz")
        talk.assign(self._pipes.output, self._pipes.errors)
        self._channel = Channel(self._pipes, self._pidfd, talk)
        self._channel.send(bytes(1024))

    def close(self) -> None:
        """Close it."""
        self._pipes.close()
        os.close(self._pidfd)

    def judge(self, data: bytes, *, cut: bool) -> str:
        """Send a frame, whole or without its end, and return what the host makes of it."""
        frame = len(data).to_bytes(4, "little") + data
        writing = self._pipes.theirs[1]
        os.write(writing, frame[: len(frame) // 2] if cut else frame)
        try:
            answer = self._channel.receive(Patience(0.002 if cut else 5, "to answer"))
        except Malformed:
            said = "malformed"
        except TookTooLong:
            said = "too late"
        except Ended:
            said = "ended"
        else:
            return type(answer).__name__
        # A host ends its worker at that point; so does this.
        self._pipes.close()
        self._open()
        return said


def fuzz(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Return what so many mutated frames came to, and what was wrong."""
    source = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    frames = seeds()
    found: Counter[str] = Counter()
    wrong: list[str] = []
    line = Line()
    try:
        for number in range(count):
            data = mutated(source, frames)
            began = time.perf_counter()
            try:
                directly = judge(data)
                found[directly] += 1
                cut = number % 100 == 0
                by_pipe = line.judge(data, cut=cut)
                if not cut and by_pipe != directly:
                    wrong.append(f"frame {number} is {directly}, and {by_pipe} over a pipe: {data!r}")
            except Exception as error:  # noqa: BLE001 - what this is looking for
                wrong.append(f"frame {number} raised {type(error).__name__}: {error}: {data!r}")
            if time.perf_counter() - began > _SLOW_SECONDS:
                wrong.append(f"frame {number} took {time.perf_counter() - began:.1f} s: {data!r}")
    finally:
        line.close()
    return found, wrong


def main() -> int:
    """Run it as the command line says."""
    count, seed = (int(one) for one in (*sys.argv[1:], *("100000", "1")[len(sys.argv) - 1 :]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found, wrong = fuzz(count, seed)
    seconds = time.perf_counter() - began
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if growth > _GROWTH_KIB:
        wrong.append(f"the process grew by {growth:,} KiB")
    lines = [f"{count:,} mutated frames, seed {seed}, {seconds:.1f} s, {growth:,} KiB more memory"]
    lines += [f"  {kind:<10} {number:>8,}" for kind, number in found.most_common()]
    lines += [f"  wrong: {one[:500]}" for one in wrong[:20]] or ["  nothing was wrong"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""How far a run was from time to time, to its speed over time."""

from plugline.frozen import frozen
from plugline.pipeline.split import Progress

_MOST_SAMPLES = 2_000  # then every second one goes; a curve on a screen has fewer points
_MOST_BINS = 60


@frozen(kw_only=True)
class Speed:
    """How fast a run was for a while.

    Attributes:
        begin: Seconds since the run began.
        end: Likewise.
    """

    begin: float
    end: float
    records_per_second: float


class Samples:
    """Takes note of how far a run is; costs a comparison a batch."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, int]] = [(0.0, 0)]
        self._between_seconds = 0.02
        self._due = 0.0

    def update(self, progress: Progress) -> None:
        """Take note of how far the run is."""
        if progress.seconds < self._due:
            return
        self._due = progress.seconds + self._between_seconds
        self._taken[0] = 0.0, progress.records_before
        self._taken.append((progress.seconds, progress.records_in))
        if len(self._taken) > _MOST_SAMPLES:
            self._taken[:] = [*self._taken[::2]]
            self._between_seconds *= 2

    def speeds(self, seconds: float, records: int) -> list[Speed]:
        """Return the speed over time, in at most 60 pieces of one length.

        Args:
            seconds: How long the run took.
            records: How many records it read.
        """
        if seconds <= 0:
            return []
        taken = [one for one in self._taken if one[0] < seconds] + [(seconds, records)]
        bins = max(1, min(_MOST_BINS, len(taken) - 1))
        ends = [seconds * (number + 1) / bins for number in range(bins)]
        counts = [float(taken[0][1]), *(_records_at(end, taken) for end in ends)]
        wide = seconds / bins
        return [
            Speed(begin=end - wide, end=end, records_per_second=max(0.0, counts[at + 1] - counts[at]) / wide)
            for at, end in enumerate(ends)
        ]


def _records_at(moment: float, taken: list[tuple[float, int]]) -> float:
    """Return how many records had been read, between two samples as if at an even pace."""
    before = taken[0]
    for sample in taken[1:]:
        if sample[0] >= moment:
            took = sample[0] - before[0]
            share = (moment - before[0]) / took if took > 0 else 1.0
            return before[1] + share * (sample[1] - before[1])
        before = sample
    return before[1]

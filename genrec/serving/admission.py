"""How many requests may be under way at once? A fixed number of slots; the next caller is told when to come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genrec.serving.errors import ApiError

SMOOTHING = 0.1
FIRST_GUESS_SECONDS = 0.5


class Lane:
    """A bounded queue: what waits and what runs together fills `slots`.

    Latency stays bounded because the queue does: an accepted request waits for at most `slots - 1` others.

    Args:
        name: "direct", "reasoning" or "upstream".
        slots: Requests under way at most.
    """

    def __init__(self, name: str, slots: int) -> None:
        self.name, self.slots = name, slots
        self.taken = 0
        self.rejected = 0
        self.seconds = FIRST_GUESS_SECONDS  # smoothed time of one request under the present load

    def enter(self) -> Callable[[], None]:
        """Take a slot.

        Returns:
            A function that gives it back; calling it again does nothing.

        Raises:
            ApiError: 429 with `Retry-After` when all are taken.
        """
        if self.taken >= self.slots:
            self.rejected += 1
            message = f"{self.taken} {self.name} requests are under way, which is the limit; come back later"
            raise ApiError(429, "overloaded", message, retry_after=self.seconds)
        self.taken += 1
        started, held = time.perf_counter(), [True]

        def leave() -> None:
            if held.pop() if held else False:
                self.taken -= 1
                self.seconds += SMOOTHING * (time.perf_counter() - started - self.seconds)

        return leave

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for the length of a block; raises as `enter`."""
        leave = self.enter()
        try:
            yield
        finally:
            leave()

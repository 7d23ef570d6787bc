"""When may the next request leave? Requests and tokens per minute, and a pause when the server asks for one."""

import asyncio
from collections.abc import Awaitable, Callable


class Pace:
    """Spreads units evenly: no minute sees more than `per_minute` of them, plus the one request that starts it.

    Args:
        per_minute: Units per minute; 0 = no limit.
    """

    def __init__(self, per_minute: float) -> None:
        self.seconds = 60.0 / per_minute if per_minute else 0.0
        self.free_at = 0.0

    def book(self, amount: float, now: float) -> float:
        """Reserves units.

        Args:
            amount: Units.
            now: Seconds on any steady clock.

        Returns:
            Seconds to wait before they may be used.
        """
        start = max(self.free_at, now)
        self.free_at = start + amount * self.seconds
        return start - now


class Limits:
    """The gate in front of an engine.

    Args:
        requests_per_minute: 0 = no limit.
        tokens_per_minute: Prompt and answer tokens together, estimated before the call; 0 = no limit.
        clock: Seconds on a steady clock; the event loop's by default.
        sleep: Waits seconds.
    """

    def __init__(
        self,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._requests, self._tokens = Pace(requests_per_minute), Pace(tokens_per_minute)
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._closed_until = 0.0

    async def admit(self, tokens: int) -> None:
        """Returns when a request of so many tokens may leave."""
        now = self._clock()
        wait = max(self._requests.book(1, now), self._tokens.book(tokens, now))
        until = now + wait
        while (left := max(until, self._closed_until) - self._clock()) > 0:
            await self._sleep(left)

    def pause(self, seconds: float) -> None:
        """Keeps every request back for a while: the server said Retry-After."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)

"""How is it going? One progress bar with what is done, rejected and retried, tokens, money and time left."""

import time
from collections import Counter

from tqdm import tqdm

from data_synthesis.core.budget import Budget

REFRESH = 0.2  # seconds between two updates of the bar


class Meter:
    """Counts events of a job and shows them.

    Args:
        show: Whether a bar is drawn (on standard error).
        unit: What a row is.
    """

    def __init__(self, show: bool, unit: str = "row") -> None:
        self.show, self.unit = show, unit
        self.reasons: Counter[str] = Counter()
        self.done = self.resumed = self.dropped = self.retries = self.answers = 0
        self._bar: tqdm | None = None
        self._budget: Budget | None = None
        self._shown_at, self._unshown = 0.0, 0

    def begin(self, total: int, resumed: int, budget: Budget) -> None:
        """Starts the bar: `resumed` of `total` questions were settled by earlier runs."""
        self.resumed, self._budget = resumed, budget
        self._bar = tqdm(total=total, initial=resumed, unit=self.unit, disable=not self.show, smoothing=0.05)

    def retried(self) -> None:
        """A request is about to be sent again."""
        self.retries += 1

    def answered(self, reason: str | None, settled: bool, accepted: bool) -> None:
        """An answer is in the journal."""
        self.answers += 1
        if reason:
            self.reasons[reason] += 1
        if settled:
            self.done += 1
            self.dropped += not accepted
        self._unshown += settled
        if self.show and time.monotonic() - self._shown_at >= REFRESH:
            self._draw()

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._draw()
            self._bar.close()

    def _draw(self) -> None:
        """Brings the bar up to date."""
        self._shown_at = time.monotonic()
        if self._bar is not None and self.show:
            self._bar.set_postfix_str(self._state(), refresh=False)
            self._bar.update(self._unshown)
            self._unshown = 0

    def _state(self) -> str:
        spent = f", {self._budget.spent.total:,} tokens" if self._budget and self._budget.spent.total else ""
        money = f", {self._budget.cost:.4f} spent" if self._budget and self._budget.cost else ""
        rejected = sum(self.reasons.values())
        return f"{self.dropped} dropped, {rejected} rejected, {self.retries} retried{spent}{money}"

"""What does Prometheus read? Counters and histograms of one gateway, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from genrec.serving.admission import Lane

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class GatewayMetrics:
    """The figures of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        shared: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("genrec_requests", "Answers by route and status", ["route", "status"], **shared)
        self.seconds = Histogram(
            "genrec_request_seconds", "Time to the whole answer", ["route"], buckets=SECONDS, **shared
        )
        self.answers = Histogram(
            "genrec_answer_seconds", "Time of recommendations", ["mode"], buckets=SECONDS, **shared
        )
        self.tokens = Counter("genrec_generated_tokens", "Tokens of chains", ["mode"], **shared)
        self.batches = Histogram("genrec_batch_size", "Requests per forward pass", ["part"], buckets=SIZES, **shared)
        self.feedback = Counter("genrec_feedback", "Feedback records", ["arm", "action"], **shared)
        self.hang_ups = Counter("genrec_hang_ups", "Clients that left before their answer", **shared)
        self.upstream_up = Gauge("genrec_upstream_up", "1 while a model server is healthy", ["replica"], **shared)
        self.upstream_busy = Gauge("genrec_upstream_inflight", "Calls under way", ["replica"], **shared)
        self.upstream_failures = Counter("genrec_upstream_failures", "Failed calls", ["replica", "code"], **shared)

    def watch(self, lanes: Collection[Lane], rates: Callable[[], dict[str, tuple[int, int]]]) -> None:
        """Read lanes, those of doors included, and click rates whenever Prometheus asks."""
        self.registry.register(_Live(lanes, rates))


class _Live:
    """Figures that exist already and are only read."""

    def __init__(self, lanes: Collection[Lane], rates: Callable[[], dict[str, tuple[int, int]]]) -> None:
        self._lanes, self._rates = lanes, rates

    def collect(self) -> Iterable[Metric]:
        """The figures of this moment."""
        taken = GaugeMetricFamily("genrec_lane_taken", "Requests under way", labels=["lane"])
        slots = GaugeMetricFamily("genrec_lane_slots", "Requests allowed at once", labels=["lane"])
        turned = GaugeMetricFamily("genrec_lane_rejected", "Requests that got 429", labels=["lane"])
        for lane in self._lanes:
            for family, value in ((taken, lane.taken), (slots, lane.slots), (turned, lane.rejected)):
                family.add_metric([lane.name], value)
        rate = GaugeMetricFamily("genrec_click_rate", "Clicks per viewed list", labels=["arm"])
        for arm, (clicks, views) in self._rates().items():
            if views:
                rate.add_metric([arm], clicks / views)
        return [taken, slots, turned, rate]

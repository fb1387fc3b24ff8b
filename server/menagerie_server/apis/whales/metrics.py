"""The nine metrics that the whales document names, added up over the workers.

Requests through Envoy are counted by Envoy, which refuses some of them itself; predictions, by the workers.
prometheus_client would append `_total` to some of the names, so the text is written here.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from menagerie_envoy.apis import WHALES
from menagerie_inference.domains.whales.drift import WINDOW
from menagerie_server.metrics import everyones_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.samples import Sample

    from menagerie_inference.domains.whales import Detection

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REASONS: Final = ("not_a_marine_mammal", "low_confidence")
"""The documented reasons; others are listed once they have occurred."""

ANSWERS: Final = Counter("menagerie_whales_answers_total", "Answers about photographs.", ["reason"])
"""By the reason of a rejection; "" for an accepted photograph."""
SCORE_SUM: Final = Gauge(
    "menagerie_whales_score_sum",
    "The gate's latest scores of a worker, added up.",
    multiprocess_mode="sum",
)
SCORE_COUNT: Final = Gauge(
    "menagerie_whales_score_count", "How many scores these are.", multiprocess_mode="sum"
)
STARTED: Final = Gauge(
    "menagerie_whales_start_seconds", "When the first worker started.", multiprocess_mode="min"
)
STARTED.set(time.time())

_latest: deque[float] = deque(maxlen=WINDOW)


def count(detection: Detection) -> None:
    """Count an answer."""
    ANSWERS.labels(detection.rejection_reason or "").inc()


def observe_score(score: float) -> None:
    """Add a score to the rolling mean."""
    _latest.append(score)
    SCORE_SUM.set(sum(_latest))
    SCORE_COUNT.set(len(_latest))


@dataclass
class Requests:
    """Counts of answered requests."""

    total: float = 0
    errors: float = 0
    seconds: float = 0.0
    """The total duration of the `timed` requests."""
    timed: float = 0
    """How many requests `seconds` covers: Envoy updates its histograms only every five seconds."""


@dataclass
class Totals:
    """The counts of all workers together."""

    answers: dict[str, float] = field(default_factory=dict)
    score_sum: float = 0.0
    score_count: float = 0.0
    started: float = 0.0
    calls: Requests = field(default_factory=Requests)
    """The calls that have reached a worker."""


def totals() -> Totals:
    """Add up the counts of all workers. Blocks: it reads their files."""
    found = Totals(answers=dict.fromkeys(REASONS, 0.0))
    for sample in _samples():
        _add(found, sample)
    return found


def exposition(requests: Requests, totals: Totals) -> bytes:
    """Return the metrics in the Prometheus text format."""
    return "".join(_lines(requests, totals)).encode()


def _lines(requests: Requests, totals: Totals) -> Iterator[str]:
    rejections = {reason: number for reason, number in totals.answers.items() if reason}
    ok = (requests.total - requests.errors) / requests.total if requests.total else 1.0
    latency = 1000 * requests.seconds / requests.timed if requests.timed else 0.0
    score = totals.score_sum / totals.score_count if totals.score_count else 0.0
    uptime = time.time() - totals.started
    yield _metric("uptime_seconds", "counter", "Seconds since the server started.", f"{uptime:.1f}")
    yield _metric("availability_percent", "gauge", "(requests - errors) / requests * 100.", f"{100 * ok:.3f}")
    yield _metric("requests_total", "counter", "All HTTP requests.", f"{requests.total:.0f}")
    yield _metric("errors_total", "counter", "Requests answered with 400 or above.", f"{requests.errors:.0f}")
    predictions = totals.answers.get("", 0.0)
    yield _metric("predictions_total", "counter", "Predictions that were not rejected.", f"{predictions:.0f}")
    yield _metric("rejections_total", "counter", "Rejections.", f"{sum(rejections.values()):.0f}")
    yield "# HELP rejections_by_reason Rejections by their reason.\n# TYPE rejections_by_reason counter\n"
    for reason, number in sorted(rejections.items()):
        yield f'rejections_by_reason{{reason="{reason}"}} {number:.0f}\n'
    yield _metric("latency_avg_ms", "gauge", "The mean latency of HTTP requests.", f"{latency:.2f}")
    yield _metric("cetacean_score_avg", "gauge", "The mean of the gate's latest scores.", f"{score:.4f}")


def _metric(name: str, kind: str, text: str, value: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value}\n"


def _samples() -> Iterable[Sample]:
    for metric in everyones_registry().collect():
        yield from metric.samples


def _add(totals: Totals, sample: Sample) -> None:
    match sample.name:
        case "menagerie_whales_answers_total":
            totals.answers[sample.labels["reason"]] = sample.value
        case "menagerie_whales_score_sum":
            totals.score_sum = sample.value
        case "menagerie_whales_score_count":
            totals.score_count = sample.value
        case "menagerie_whales_start_seconds":
            totals.started = sample.value
        case _ if sample.labels.get("method", "").startswith(f"/{WHALES.service}/"):
            _add_call(totals.calls, sample)


def _add_call(calls: Requests, sample: Sample) -> None:
    match sample.name:
        case "menagerie_calls_total":
            calls.total += sample.value
            calls.errors += sample.value if sample.labels["code"] != "OK" else 0
        case "menagerie_call_seconds_sum":
            calls.seconds += sample.value
        case "menagerie_call_seconds_count":
            calls.timed += sample.value

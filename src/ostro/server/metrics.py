"""What ``/metrics`` tells, in Prometheus' form."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ostro.engine.answer import Answer
from ostro.engine.engine import Engine
from ostro.engine.routing_counts import RoutingCounts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120)
_BETWEEN = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5)
_WHOLE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)


class Metrics:
    """Counts what the server does; what the engine holds is read when somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_EngineCollector(engine))
        self._requests = Counter(
            "ostro_requests",
            "Responses by path and status.",
            ("path", "status"),
            registry=self._registry,
        )
        self._first = self._histogram("ostro_time_to_first_token_seconds", _FIRST)
        self._between = self._histogram("ostro_inter_token_seconds", _BETWEEN)
        self._whole = self._histogram("ostro_answer_seconds", _WHOLE)

    def response(self, path: str, status: int) -> None:
        """A response was sent. ``path`` is one of the server's own, never a client's."""
        self._requests.labels(path, str(status)).inc()

    def answers(self, answers: list[Answer]) -> None:
        """Answers came to their end, or were given up."""
        for answer in answers:
            timer = answer.timer
            if not timer.tokens:
                continue
            self._first.observe(timer.first)
            self._whole.observe(timer.last)
            for gap in timer.gaps:
                self._between.observe(gap)

    def render(self) -> bytes:
        """All of it as text."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        words = name.removeprefix("ostro_").removesuffix("_seconds").replace("_", " ")
        return Histogram(name, f"Seconds: {words}.", buckets=buckets, registry=self._registry)


class _EngineCollector(Collector):
    """Reads an engine's counters. They belong to its thread; a number may be a step old."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All metrics of the engine."""
        core, scheduler = self._engine.core, self._engine.core.scheduler
        pool, tree = core.pool, core.tree
        gauges = {
            "ostro_requests_waiting": ("Answers that wait for a place.", self._engine.queue_length),
            "ostro_requests_running": ("Answers being computed.", len(scheduler.running)),
            "ostro_kv_pages": ("Pages of keys and values.", pool.size),
            "ostro_kv_pages_used": (
                "Pages that answers under way hold.",
                pool.size - pool.num_free - tree.num_unused,
            ),
            "ostro_kv_pages_cached": ("Pages that only the prefix tree holds.", tree.num_unused),
        }
        for name, (words, value) in gauges.items():
            yield GaugeMetricFamily(name, words, value=value)
        counters = {
            "ostro_prompt_tokens": ("Prompt tokens computed.", scheduler.prompt_tokens_read),
            "ostro_prefix_hit_tokens": (
                "Prompt tokens found in the prefix tree.",
                scheduler.prompt_tokens_known,
            ),
            "ostro_generation_tokens": ("Tokens generated.", core.writer.tokens),
            "ostro_preemptions": ("Answers that gave up their pages.", scheduler.preemptions),
        }
        if core.speculator is not None:
            speculator = core.speculator
            counters["ostro_drafts_checked"] = ("Guessed tokens computed.", speculator.checked)
            counters["ostro_drafts_right"] = ("Guessed tokens kept.", speculator.right)
        for name, (words, value) in counters.items():
            yield CounterMetricFamily(name, words, value=value)
        yield from _experts(core.routing_counts)


def _experts(counts: RoutingCounts | None) -> Iterator[Metric]:
    if counts is None:
        return
    share = GaugeMetricFamily(
        "ostro_expert_share", "Share of a layer's assignments.", labels=("layer", "expert")
    )
    entropy = GaugeMetricFamily(
        "ostro_router_entropy_bits", "Entropy of a layer's shares.", labels=("layer",)
    )
    for layer, shares in enumerate(counts.shares()):
        for expert, value in enumerate(shares):
            share.add_metric((str(layer), str(expert)), value)
    for layer, value in enumerate(counts.entropies()):
        entropy.add_metric((str(layer),), value)
    yield share
    yield entropy
    yield CounterMetricFamily(
        "ostro_routed_tokens", "Tokens whose routing was counted.", value=counts.tokens
    )

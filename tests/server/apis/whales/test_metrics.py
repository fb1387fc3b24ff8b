from __future__ import annotations

import pytest

from menagerie_server.apis.whales.edge_statistics import read_statistics
from menagerie_server.apis.whales.metrics import Requests, Totals, exposition

STATISTICS = """
# TYPE envoy_http_downstream_rq_xx counter
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="whales"} 30
envoy_http_downstream_rq_xx{envoy_response_code_class="3",envoy_http_conn_manager_prefix="whales"} 2
envoy_http_downstream_rq_xx{envoy_response_code_class="4",envoy_http_conn_manager_prefix="whales"} 5
envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="whales"} 3
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="coral"} 900
envoy_listener_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="whales"} 30
envoy_http_downstream_rq_time_sum{envoy_http_conn_manager_prefix="whales"} 2400
envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix="whales"} 40
"""


def test_the_edges_counts_are_those_of_this_api() -> None:
    assert read_statistics(STATISTICS) == Requests(total=40, errors=8, seconds=2.4, timed=40)


@pytest.mark.parametrize(
    "line",
    [
        "requests_total 40",
        "errors_total 8",
        "availability_percent 80.000",
        "latency_avg_ms 60.00",
        "predictions_total 6",
        "rejections_total 5",
        'rejections_by_reason{reason="low_confidence"} 3',
        'rejections_by_reason{reason="not_a_marine_mammal"} 2',
        "cetacean_score_avg 0.2500",
    ],
)
def test_each_metric_is_worked_out(line: str) -> None:
    totals = Totals({"": 6, "low_confidence": 3, "not_a_marine_mammal": 2}, score_sum=1.0, score_count=4)
    assert line in exposition(read_statistics(STATISTICS), totals).decode().splitlines()


def test_nothing_has_happened_yet() -> None:
    lines = exposition(Requests(), Totals()).decode().splitlines()
    assert {"requests_total 0", "availability_percent 100.000", "latency_avg_ms 0.00"} <= set(lines)

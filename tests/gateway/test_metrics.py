from __future__ import annotations

import socket

import aiohttp
import pytest

from gateway.metrics import Metrics, serve_metrics


async def scrape(metrics: Metrics) -> str:
    runner = await serve_metrics(metrics, "127.0.0.1", 0)
    try:
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain")
            return await response.text()
    finally:
        await runner.cleanup()


async def test_requests_are_counted_by_route_method_and_status() -> None:
    metrics = Metrics()
    tally = metrics.route("/api/x/{id}", "GET")
    tally.observe(200, 0.0004)
    tally.observe(200, 0.02)
    tally.observe(404, 9.0)
    assert metrics.route("/api/x/{id}", "GET") is tally
    text = await scrape(metrics)
    assert 'stampgate_requests_total{method="GET",route="/api/x/{id}",status="200"} 2.0' in text
    assert 'stampgate_requests_total{method="GET",route="/api/x/{id}",status="404"} 1.0' in text
    assert 'stampgate_request_seconds_bucket{le="0.001",method="GET",route="/api/x/{id}"} 1.0' in text
    assert 'stampgate_request_seconds_bucket{le="0.025",method="GET",route="/api/x/{id}"} 2.0' in text
    assert 'stampgate_request_seconds_bucket{le="5.0",method="GET",route="/api/x/{id}"} 2.0' in text
    assert 'stampgate_request_seconds_bucket{le="+Inf",method="GET",route="/api/x/{id}"} 3.0' in text
    assert 'stampgate_request_seconds_count{method="GET",route="/api/x/{id}"} 3.0' in text
    assert 'stampgate_request_seconds_sum{method="GET",route="/api/x/{id}"} 9.0204' in text


async def test_what_the_rules_report_is_counted() -> None:
    metrics = Metrics()
    metrics.refused("busy")
    metrics.login("kiosk", "accepted")
    metrics.lock("phone", "number", "consecutive")
    observe = metrics.batch_observer("stamps")
    observe(3)
    observe(200)
    metrics.hash_queue.inc(2)
    metrics.hash_seconds.observe(0.017)
    text = await scrape(metrics)
    assert 'stampgate_refusals_total{problem="busy"} 1.0' in text
    assert 'stampgate_logins_total{outcome="accepted",tier="kiosk"} 1.0' in text
    assert 'stampgate_locks_total{reason="consecutive",scope="number",tier="phone"} 1.0' in text
    assert 'stampgate_batch_size_bucket{batcher="stamps",le="4.0"} 1.0' in text
    assert 'stampgate_batch_size_sum{batcher="stamps"} 203.0' in text
    assert "stampgate_hash_queue 2.0" in text
    assert 'stampgate_hash_seconds_bucket{le="0.02"} 1.0' in text


def test_a_method_of_the_clients_own_is_no_label() -> None:
    metrics = Metrics()
    assert metrics.route("unmatched", "X493817").method == "other"


def test_two_gateways_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.refused("busy")
    assert other.registry.get_sample_value("stampgate_refusals_total", {"problem": "busy"}) is None


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address already in use"):
            await serve_metrics(Metrics(), "127.0.0.1", taken.getsockname()[1])

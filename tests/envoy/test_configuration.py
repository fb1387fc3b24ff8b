from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from menagerie_envoy import SPECIES, Address, Edge, Listener, command, write_configuration
from menagerie_envoy.descriptors import descriptor_set
from menagerie_envoy.front_page import front_page

if TYPE_CHECKING:
    from pathlib import Path

EDGE = Edge(
    front_door=Address("127.0.0.1", 8080),
    listeners={SPECIES: Listener(Address("127.0.0.1", 7860))},
    workers=(Address("127.0.0.1", 50051), Address("127.0.0.1", 50052)),
)


def test_envoy_accepts_it(tmp_path: Path) -> None:
    configuration = write_configuration(EDGE, tmp_path)
    validate = [*command(configuration, threads=1), "--mode", "validate"]
    result = subprocess.run(validate, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    configuration = write_configuration(EDGE, tmp_path)
    descriptors = tmp_path / "descriptors.binpb"
    first = configuration.read_bytes(), descriptors.read_bytes()
    write_configuration(EDGE, tmp_path)
    assert (configuration.read_bytes(), descriptors.read_bytes()) == first


def test_the_front_page_follows_the_settings(tmp_path: Path) -> None:
    document = tmp_path / "species.openapi.json"
    closed, open_ = (
        front_page(replace(EDGE, listeners={SPECIES: listener}))
        for listener in (
            Listener(Address("127.0.0.1", 7860)),
            Listener(Address("127.0.0.1", 7861), document=document, api_keys=True),
        )
    )
    assert "MENAGERIE_SPECIES_API_DOCS=true" in closed
    assert "port 7860" in closed
    assert "species/docs" not in closed
    assert "API key" not in closed
    assert all(text in open_ for text in ("species/docs", "API key", "port 7861"))


def test_every_worker_is_balanced_per_request(tmp_path: Path) -> None:
    bootstrap = json.loads(write_configuration(EDGE, tmp_path).read_text())
    workers = bootstrap["static_resources"]["clusters"][0]
    endpoints = workers["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ports = [one["endpoint"]["address"]["socket_address"]["port_value"] for one in endpoints]
    assert ports == [50051, 50052]
    assert workers["lb_policy"] == "LEAST_REQUEST"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_that_reaches_no_worker_is_passed_to_another_where_there_is_one(
    tmp_path: Path, workers: int
) -> None:
    edge = replace(EDGE, workers=EDGE.workers[:workers])
    bootstrap = json.loads(write_configuration(edge, tmp_path).read_text())
    species = next(one for one in bootstrap["static_resources"]["listeners"] if one["name"] == "species")
    (filter_,) = species["filter_chains"][0]["filters"]
    (host,) = filter_["typed_config"]["route_config"]["virtual_hosts"]
    assert ("retry_policy" in host) == (workers > 1)


def test_no_table_of_headers_is_shared_with_other_callers(tmp_path: Path) -> None:
    bootstrap = json.loads(write_configuration(EDGE, tmp_path).read_text())
    options = bootstrap["static_resources"]["clusters"][0]["typed_extension_protocol_options"]
    (protocol,) = options.values()
    assert protocol["explicit_http_config"]["http2_protocol_options"] == {"hpack_table_size": 0}


def test_every_cluster_has_a_circuit_breaker(tmp_path: Path) -> None:
    bootstrap = json.loads(write_configuration(EDGE, tmp_path).read_text())
    clusters = bootstrap["static_resources"]["clusters"]
    limits = [cluster["circuit_breakers"]["thresholds"][0] for cluster in clusters]
    assert all(limit["max_requests"] > 0 and limit["max_connections"] > 0 for limit in limits)


def test_the_descriptors_are_complete_and_in_order() -> None:
    files = FileDescriptorSet.FromString(descriptor_set()).file
    names = [file.name for file in files]
    assert len(names) == len(set(names))
    # Without these two, Envoy answers failed calls with an empty body.
    assert {"google/rpc/status.proto", "google/rpc/error_details.proto"} <= set(names)
    for place, file in enumerate(files):
        assert set(file.dependency) <= set(names[:place])


@pytest.mark.parametrize("status", [404, 405, 408, 413, 415, 422, 429, 431, 503, 504])
def test_every_reply_has_a_text(status: int) -> None:
    reply = SPECIES.reply(status)
    assert 400 <= reply.status < 600
    assert reply.text

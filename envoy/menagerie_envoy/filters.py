"""The HTTP filters of a listener, in the order in which a request passes them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from menagerie_envoy.clusters import workers
from menagerie_envoy.typed import Json, http_filter, seconds, typed

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_envoy.apis import Api
    from menagerie_envoy.descriptors import Descriptors
    from menagerie_envoy.edge import Edge, RateLimit

MAX_WHOLE_BYTES = 1024 * 1024
"""The largest body that Envoy itself holds; longer ones pass through it in pieces."""

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Of one message, which becomes JSON all at once; what may be larger comes in pieces."""

CORS = "envoy.filters.http.cors"
GRPC_WEB = "envoy.filters.http.grpc_web"
RATE_LIMIT = "envoy.filters.http.local_ratelimit"
KEY_CHECK = "envoy.filters.http.ext_authz"
BODY_LIMIT = "envoy.filters.http.body_size_limit"
COMPRESSOR = "envoy.filters.http.compressor"
DECOMPRESSOR = "envoy.filters.http.decompressor"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
STREAMING_TRANSCODER = "menagerie.streaming_transcoder"
"""Passes uploads on in pieces; off, unless a route turns it on."""

KEY_CHECK_SECONDS = 2.0

MAX_CALLERS = 100_000
"""How many callers' budgets are kept; one more makes Envoy forget the one that called longest ago."""

SECURE_HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
    "x-xss-protection": "1; mode=block",
}
"""Added to every answer that does not have them: those of the species API's document, on every API."""

NOT_METADATA = ".*-bin|.*[^:0-9a-z_.-].*|grpc-(internal-encoding-request|retry-pushback-ms|status)"
"""The names of headers that gRPC can end a whole call for, and that no call here reads: binary metadata,
which has to be base64; names that HTTP allows, and gRPC does not; what gRPC says in answers alone."""

TRANSCODERS = ("x-envoy-original-method", "x-envoy-original-path")
"""Headers that the transcoder sets, and the access log believes: no caller may."""

MIN_COMPRESSED_BYTES = 1024
"""Shorter answers are not compressed: it would take longer than it saves."""


def enabled() -> Json:
    """Return what turns a filter on for a route."""
    return typed("filter_config", config={})


def disabled() -> Json:
    """Return what turns a filter off for a route."""
    return typed("filter_config", disabled=True)


CALLER = "x-menagerie-caller"
"""Where the workers are told from which address a call comes."""
HOST = "x-menagerie-host"
"""Where the workers are told by which host and port a caller came."""


def api_filters(api: Api, edge: Edge, descriptors: Descriptors) -> list[Json]:
    """Return the filters of an API's own listener."""
    listener = edge.listeners[api]
    optional = [_rate_limit(api, listener.rate_limit)] if listener.rate_limit else []
    optional += [_key_check(api)] if listener.api_keys else []
    return [
        http_filter("cors"),
        _headers({CALLER: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", HOST: "%REQ(:AUTHORITY)%"}),
        http_filter("grpc_web"),
        _compressor(),
        *optional,
        *body_filters(api, edge, descriptors),
    ]


def front_door_filters(system: Api, descriptors: Descriptors) -> list[Json]:
    """Return the filters of the front door, which leaves to each API's listener what concerns that API."""
    return [_headers({}), _error_filter(system), _transcoder(system, descriptors.whole), _router()]


def body_filters(api: Api, edge: Edge, descriptors: Descriptors) -> list[Json]:
    """Return the filters that a request passes once it is let in, from its body on."""
    streaming = _transcoder(api, descriptors.streamed) | {"name": STREAMING_TRANSCODER, "disabled": True}
    return [
        _decompressor(),
        _body_limit(api, edge),
        _error_filter(api),
        _transcoder(api, descriptors.whole),
        streaming,
        _router(),
    ]


def _headers(told: dict[str, str]) -> Json:
    """Keep from the workers what is no metadata, tell them more, and add to every answer what secures it."""
    removed = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": NOT_METADATA}}}}
    forged = [{"remove": name} for name in TRANSCODERS]
    overwritten = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for key, value in told.items()
    ]
    added = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}}
        for key, value in SECURE_HEADERS.items()
    ]
    return http_filter(
        "header_mutation",
        mutations={"request_mutations": [removed, *forged, *overwritten], "response_mutations": added},
    )


def _compressor() -> Json:
    library = {"name": "gzip", "typed_config": typed("gzip", memory_level=5, compression_level="BEST_SPEED")}
    common = {"min_content_length": MIN_COMPRESSED_BYTES}
    return http_filter(
        "compressor", compressor_library=library, response_direction_config={"common_config": common}
    )


def _decompressor() -> Json:
    return http_filter(
        "decompressor",
        decompressor_library={"name": "gunzip", "typed_config": typed("gunzip")},
        request_direction_config={"advertise_accept_encoding": False},
        response_direction_config={
            "common_config": {"enabled": {"default_value": False, "runtime_key": "menagerie.gunzip"}}
        },
    )


def _rate_limit(api: Api, limit: RateLimit) -> Json:
    """One bucket for each caller, refilled evenly; the filter's own bucket is never the bound."""
    whole = {"numerator": 100, "denominator": "HUNDRED"}
    bucket = {
        "max_tokens": limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": seconds(limit.seconds),
    }
    return http_filter(
        "local_ratelimit",
        stat_prefix=api.name,
        token_bucket={"max_tokens": 2**32 - 1, "tokens_per_fill": 2**32 - 1, "fill_interval": "1s"},
        filter_enabled={"default_value": whole},
        filter_enforced={"default_value": whole},
        rate_limits=[{"actions": [{"remote_address": {}}]}],
        descriptors=[{"entries": [{"key": "remote_address"}], "token_bucket": bucket}],
        max_dynamic_descriptors=MAX_CALLERS,
        enable_retry_after_header=True,
        rate_limited_as_resource_exhausted=True,
    )


def _key_check(api: Api) -> Json:
    service = {
        "envoy_grpc": {"cluster_name": workers(api)},
        "timeout": seconds(KEY_CHECK_SECONDS),
        "initial_metadata": [{"key": "x-menagerie-api", "value": api.name}],
    }
    return http_filter(
        "ext_authz",
        grpc_service=service,
        transport_api_version="V3",
        status_on_error={"code": "ServiceUnavailable"},
    )


def _body_limit(api: Api, edge: Edge) -> Json:
    # The worker counts, too, and says in the API's words what is too large; here the connection may go.
    largest = max(api.max_request_bytes, api.max_stream_bytes) + edge.max_discarded_bytes
    return http_filter("body_size_limit", max_request_bytes=largest)


def _error_filter(api: Api) -> Json:
    template = files(__package__).joinpath("errors.lua").read_text(encoding="utf-8")
    # Lua's patterns have a `$` of their own, so only the one placeholder is replaced.
    source = template.replace("$error_key", api.error_key)
    return http_filter("lua", default_source_code={"inline_string": source})


def _transcoder(api: Api, descriptors: Path) -> Json:
    return http_filter(
        "grpc_json_transcoder",
        proto_descriptor=str(descriptors),
        services=[api.service],
        print_options={
            "preserve_proto_field_names": True,
            "always_print_primitive_fields": api.prints_defaults,
        },
        request_validation_options={"reject_unknown_method": True},
        # Pollers add parameters of their own to get past caches.
        ignore_unknown_query_parameters=True,
        convert_grpc_status=True,
        max_request_body_size=MAX_WHOLE_BYTES,
        max_response_body_size=MAX_RESPONSE_BYTES,
    )


def _router() -> Json:
    return http_filter("router", suppress_envoy_headers=True)

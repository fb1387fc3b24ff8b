"""Envoy's typed extension configurations: a table of the ones in use, by short names."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_ENVOY = "type.googleapis.com/envoy"

_TYPES = {
    "http_connection_manager": "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "grpc_json_transcoder": "extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    "lua": "extensions.filters.http.lua.v3.Lua",
    "router": "extensions.filters.http.router.v3.Router",
    "http_protocol_options": "extensions.upstreams.http.v3.HttpProtocolOptions",
    "heap_limit": "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
    "connection_limit": (
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    ),
    "filter_config": "config.route.v3.FilterConfig",
    "cors": "extensions.filters.http.cors.v3.Cors",
    "cors_policy": "extensions.filters.http.cors.v3.CorsPolicy",
    "header_mutation": "extensions.filters.http.header_mutation.v3.HeaderMutation",
    "grpc_web": "extensions.filters.http.grpc_web.v3.GrpcWeb",
    "compressor": "extensions.filters.http.compressor.v3.Compressor",
    "gzip": "extensions.compression.gzip.compressor.v3.Gzip",
    "local_ratelimit": "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    "ext_authz": "extensions.filters.http.ext_authz.v3.ExtAuthz",
    "body_size_limit": "extensions.filters.http.body_size_limit.v3.BodySizeLimit",
    "previous_hosts": "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    "original_ip": "extensions.http.original_ip_detection.xff.v3.XffConfig",
    "access_log": "extensions.access_loggers.stream.v3.StdoutAccessLog",
    "decompressor": "extensions.filters.http.decompressor.v3.Decompressor",
    "gunzip": "extensions.compression.gzip.decompressor.v3.Gzip",
    "internal_listeners": "extensions.bootstrap.internal_listener.v3.InternalListener",
    "downstream_tls": "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    "upstream_tls": "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    "traces": "config.trace.v3.OpenTelemetryConfig",
    "uuid_request_id": "extensions.request_id.uuid.v3.UuidRequestIdConfig",
    "cel_filter": "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
}


def typed(kind: str, **fields: Any) -> Json:  # noqa: ANN401 - the values are JSON
    """Return a configuration of a kind in the table, with the type URL that Envoy asks for."""
    return {"@type": f"{_ENVOY}.{_TYPES[kind]}", **fields}


def http_filter(kind: str, **fields: Any) -> Json:  # noqa: ANN401 - the values are JSON
    """Return an HTTP filter of a kind in the table."""
    return {"name": f"envoy.filters.http.{kind}", "typed_config": typed(kind, **fields)}


def seconds(duration: float) -> str:
    """Return a duration as protobuf's JSON writes it."""
    return f"{duration:g}s"

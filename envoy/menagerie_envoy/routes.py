"""The routes of a listener.

A REST call is routed twice: by its own path, which says what filters it passes, and once it is transcoded, by
its gRPC path. Both lead to the workers, who know the second alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy.clusters import continue_listener, workers
from menagerie_envoy.edge import ANY
from menagerie_envoy.filters import (
    BODY_LIMIT,
    COMPRESSOR,
    CORS,
    DECOMPRESSOR,
    GRPC_WEB,
    KEY_CHECK,
    MAX_WHOLE_BYTES,
    RATE_LIMIT,
    STREAMING_TRANSCODER,
    TRANSCODER,
    disabled,
    enabled,
)
from menagerie_envoy.pages import page_routes
from menagerie_envoy.rest import RestPath, announces, downloads, rest_paths, streamed_methods, uploads
from menagerie_envoy.typed import Json, typed

if TYPE_CHECKING:
    from menagerie_envoy.apis import Api
    from menagerie_envoy.edge import Edge, Listener

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
REQUEST_HEADERS = (
    "authorization, content-type, grpc-timeout, x-api-key, x-grpc-web, x-request-id, x-user-agent, "
    "connect-protocol-version"
)
EXPOSED_HEADERS = (
    "grpc-message, grpc-status, grpc-status-details-bin, retry-after, x-model-version, x-request-id, "
    "x-total-count"
)
PREFLIGHT_SECONDS = 600
PREFLIGHT: Json = {
    "prefix": "/",
    "headers": [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "access-control-request-method", "present_match": True},
    ],
}

BODIED = frozenset({"POST", "PUT", "PATCH"})

ENCODINGS = "(?i)gzip|identity"
"""How a body may be encoded."""

EXPECTS_CONTINUE = {"name": "expect", "string_match": {"exact": "100-continue", "ignore_case": True}}
"""The client sends the body once it is told to; RFC 9110, section 10.1.1."""

_TRY_ANOTHER: Json = {
    "retry_policy": {
        "retry_on": "connect-failure",
        "num_retries": 1,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": typed("previous_hosts")}
        ],
        "host_selection_retry_max_attempts": "20",
    },
    # A larger body is not kept for a second attempt.
    "per_request_buffer_limit_bytes": MAX_WHOLE_BYTES,
}
"""A call that reaches no worker, as that has ended a moment ago, goes to another one."""

WRONG_HOST = "Invalid host header"

AUTHORITY = r"([0-9A-Za-z._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?"
"""A host and a port, as RFC 3986, section 3.2, writes them; Envoy refuses others when it passes them on."""

GRPC_HEADERS = {
    "grpc-timeout": "[0-9]{1,8}[HMSmun]",
    "grpc-encoding": "identity|deflate|gzip",
    "grpc-previous-rpc-attempts": "[0-9]{1,8}",
}
"""What gRPC can read; it calls anything else an internal error, and says so in words of its own."""


def to(cluster: str, match: Json, **route: str) -> Json:
    """Return the route of a match to a cluster."""
    # The server knows how long each call may take, and honours the caller's deadline: no timeout here.
    return {"match": match, "route": {"cluster": cluster, "timeout": "0s", **route}}


def answer(match: Json, status: int, **more: Json) -> Json:
    """Return the route of a match that Envoy answers itself."""
    return {"match": match, "direct_response": {"status": status, **more}}


def malformed() -> list[Json]:
    """Return the routes that refuse a header that the next hop or gRPC cannot read, whoever sends it."""
    host = _malformed("Host", {"name": ":authority"} | _unlike(AUTHORITY))
    grpc = [
        _malformed(name, _there(name), {"name": name} | _unlike(like)) for name, like in GRPC_HEADERS.items()
    ]
    return [without(route, TRANSCODER) for route in (host, *grpc)]


def _encoded() -> Json:
    """Refuse a body in an encoding that the decompressor does not know."""
    header = "content-encoding"
    route = answer({"prefix": "/", "headers": [_there(header), {"name": header} | _unlike(ENCODINGS)]}, 415)
    return without(route, TRANSCODER)


def _malformed(name: str, *headers: Json) -> Json:
    text = {"inline_string": f"The header {name} is malformed."}
    return answer({"prefix": "/", "headers": list(headers)}, 400, body=text)


def _there(name: str) -> Json:
    return {"name": name, "present_match": True}


def _absent(name: str) -> Json:
    return {"name": name, "present_match": False}


def _unlike(pattern: str) -> Json:
    return {"string_match": {"safe_regex": {"regex": pattern}}, "invert_match": True}


def without(route: Json, *filters: str) -> Json:
    """Return the route with these filters turned off."""
    return {**route, "typed_per_filter_config": {name: disabled() for name in filters}}


def api_hosts(api: Api, edge: Edge) -> list[Json]:
    """Return the virtual hosts of an API's own listener."""
    listener = edge.listeners[api]
    host = {
        "name": api.name,
        "domains": list(listener.allowed_hosts),
        "routes": [*_redirect(listener), *malformed(), _encoded(), *_routes(api, edge)],
        "typed_per_filter_config": {CORS: _cors(listener)},
        **_retries(edge),
    }
    if ANY in listener.allowed_hosts:
        return [host | {"domains": [ANY]}]
    text = {"body": {"inline_string": WRONG_HOST}}
    refusal = without(answer({"prefix": "/"}, 400, **text), TRANSCODER, *_checks(listener))
    return [host, {"name": "others", "domains": [ANY], "routes": [refusal]}]


def continue_hosts(api: Api, edge: Edge) -> list[Json]:
    """Return the virtual host of an API for those who waited for 100 Continue."""
    return [{"name": api.name, "domains": [ANY], "routes": _calls(api, edge), **_retries(edge)}]


def _retries(edge: Edge) -> Json:
    return _TRY_ANOTHER if len(edge.workers) > 1 else {}


def _routes(api: Api, edge: Edge) -> list[Json]:
    listener = edge.listeners[api]
    routes = [without(page, TRANSCODER, *_checks(listener)) for page in page_routes(listener.document)]
    # Answered by the filter of CORS, which asks for a route that leads somewhere.
    routes.append(without(to(workers(api), PREFLIGHT), *_checks(listener)))
    return [*routes, *_calls(api, edge)]


def _calls(api: Api, edge: Edge) -> list[Json]:
    listener, routes = edge.listeners[api], []
    for path in rest_paths(api.descriptor):
        routes.append(_grpc_web(listener, path))
        for verb, method in path.methods.items():
            routes += _bodied(api, edge, path, verb) if verb in BODIED else []
            routes.append(without(to(workers(api), path.match(verb)), *_spared(api, listener, method)))
        routes.append(_wrong_method(listener, path))
    streamed = streamed_methods(api.descriptor)
    for name in (method.name for method in api.descriptor.methods):
        grpc = to(workers(api), {"path": f"/{api.service}/{name}"})
        # Any number of messages may follow each other in a stream; the worker bounds each of them.
        unbounded = [BODY_LIMIT] if name in streamed else []
        routes.append(without(grpc, *unbounded, *_spared(api, listener, name)))
    return [*routes, answer({"prefix": "/"}, 404)]


def _bodied(api: Api, edge: Edge, path: RestPath, verb: str) -> list[Json]:
    """Return the routes of bodies that are not passed on as a whole, or not at all.

    Who waits to be told to go on is refused at once where the body would be too large. Who does not listens
    only after it has sent all: the worker reads that, up to a bound.
    """
    listener, method = edge.listeners[api], path.methods[verb]
    streamed, uploaded = streamed_methods(api.descriptor), uploads(api.descriptor)
    largest = api.max_stream_bytes if method in streamed else api.max_request_bytes
    bound = largest + edge.max_discarded_bytes if method in uploaded else MAX_WHOLE_BYTES
    spared = _spared(api, listener, method)
    waiting = to(continue_listener(api), path.match(verb, EXPECTS_CONTINUE))
    routes = [
        _too_long(listener, path.match(verb, EXPECTS_CONTINUE, announces(at_least=min(bound, largest) + 1))),
        _too_long(listener, path.match(verb, announces(at_least=bound + 1))),
        without(waiting, DECOMPRESSOR, TRANSCODER, *spared),
    ]
    if method in uploaded - streamed:
        small = path.match(verb, announces(below=MAX_WHOLE_BYTES + 1), _absent("content-encoding"))
        routes.append(without(to(workers(api), small), *spared))
        pieces = without(to(workers(api), path.match(verb)), TRANSCODER, *spared)
        pieces["typed_per_filter_config"][STREAMING_TRANSCODER] = enabled()
        routes.append(pieces)
    return routes


def _too_long(listener: Listener, match: Json) -> Json:
    return without(answer(match, 413), TRANSCODER, *_checks(listener))


def _grpc_web(listener: Listener, path: RestPath) -> Json:
    """Refuse gRPC-Web on a path of REST, before its filter takes the request for a call of a method."""
    match = path.match("", {"name": "content-type", "string_match": {"prefix": "application/grpc-web"}})
    return without(answer(match, 415), GRPC_WEB, TRANSCODER, *_checks(listener))


def _wrong_method(listener: Listener, path: RestPath) -> Json:
    allow = {"header": {"key": "allow", "value": ", ".join(path.allowed)}}
    route = answer(path.match(), 405) | {"response_headers_to_add": [allow]}
    return without(route, TRANSCODER, *_checks(listener))


def _spared(api: Api, listener: Listener, method: str) -> list[str]:
    """Name the filters that calls of this method do not pass."""
    spared = {RATE_LIMIT: method in api.unlimited, KEY_CHECK: method in api.keyless}
    # Images are compressed already: gzip made 60 MB of 61, and others waited ten times as long.
    needless = [COMPRESSOR] if method in downloads(api.descriptor) else []
    return [*needless, *(name for name in _checks(listener) if spared[name])]


def _checks(listener: Listener) -> list[str]:
    checks = {RATE_LIMIT: listener.rate_limit is not None, KEY_CHECK: listener.api_keys}
    return [name for name, there in checks.items() if there]


def _redirect(listener: Listener) -> list[Json]:
    if not listener.force_https:
        return []
    plain = {"name": "x-forwarded-proto", "string_match": {"exact": "https"}, "invert_match": True}
    redirect = {"https_redirect": True, "response_code": "TEMPORARY_REDIRECT"}
    route = {"match": {"prefix": "/", "headers": [plain]}, "redirect": redirect}
    return [without(route, TRANSCODER, *_checks(listener))]


def _cors(listener: Listener) -> Json:
    return typed(
        "cors_policy",
        allow_origin_string_match=[{"exact": origin} for origin in listener.allowed_origins],
        allow_methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=str(PREFLIGHT_SECONDS),
        # Any origin and credentials together would hand every page what the user may do here.
        allow_credentials=ANY not in listener.allowed_origins,
    )

"""Gives the errors that Envoy itself raises the shape and the texts of the API's document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy.typed import Json, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from menagerie_envoy.apis import Api

# The flags are Envoy's: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
UPSTREAM_TIMEOUT = ["UT", "SI"]
UPSTREAM_DOWN = ["UF", "UH", "UO", "UC", "UR", "LR", "URX"]

MALFORMED = "response.code == 400 && response.code_details.matches('^(early_)?grpc_json_transcode_failure')"
"""A body, a query parameter or a path variable that does not fit the request message."""

NOT_HTTP = "response.code == 400 && response.code_details != 'direct_response'"
"""A request that is not valid HTTP: Envoy has no text for most of what can be wrong with one."""

BY_STATUS = (403, 404, 405, 408, 413, 429, 431)


def local_replies(api: Api) -> Json:
    """Return the local_reply_config of an API: the first mapper that fits an error decides."""
    return {"mappers": _mappers(api), "body_format": _body(api, "%LOCAL_REPLY_BODY%")}


def front_door_replies(system: Api, apis: Iterable[Api]) -> Json:
    """Return the local_reply_config of the front door: under an API's prefix, errors are in its shape."""
    mappers = [_under(f"/{api.name}/", mapper) for api in apis for mapper in (*_mappers(api), _other(api))]
    return {"mappers": [*mappers, *_mappers(system)], "body_format": _body(system, "%LOCAL_REPLY_BODY%")}


def _under(prefix: str, mapper: Json) -> Json:
    there = _header(":path", string_match={"prefix": prefix})
    return mapper | {"filter": {"and_filter": {"filters": [there, mapper["filter"]]}}}


def _other(api: Api) -> Json:
    """Keep Envoy's status and text of any other error."""
    condition = {"status_code_filter": {"comparison": {"op": "GE", "value": _runtime(400)}}}
    return {"filter": condition, "body_format_override": _body(api, "%LOCAL_REPLY_BODY%")}


def _body(api: Api, text: str) -> Json:
    return {"json_format": {api.error_key: text}}


def _runtime(value: int) -> Json:
    # Envoy asks for a name by which the value could be changed while it runs; nobody does.
    return {"default_value": value, "runtime_key": f"menagerie.reply.{value}"}


def _mappers(api: Api) -> list[Json]:
    return [
        _redirect(),
        # A path of REST was asked for with a content type of gRPC-Web's.
        _by_status(api, 415),
        _native_grpc(),
        # Envoy's own text repeats what the caller sent, and that may be megabytes.
        _by_expression(api, MALFORMED, 422),
        _by_expression(api, NOT_HTTP, 400),
        *(_by_status(api, status) for status in BY_STATUS),
        _by_flags(api, UPSTREAM_TIMEOUT, 504),
        _by_flags(api, UPSTREAM_DOWN, 503),
    ]


def _native_grpc() -> Json:
    # The transcoder gives REST calls gRPC's content type too, but leaves their path in a header.
    return {
        "filter": {
            "and_filter": {
                "filters": [
                    _header("content-type", string_match={"prefix": "application/grpc"}),
                    _header("x-envoy-original-path", present_match=False),
                ]
            }
        },
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _redirect() -> Json:
    return {
        "filter": {"status_code_filter": {"comparison": {"op": "LE", "value": _runtime(399)}}},
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _by_expression(api: Api, expression: str, status: int) -> Json:
    name = "envoy.access_loggers.extension_filters.cel"
    config = typed("cel_filter", expression=expression)
    return _mapper(api, {"extension_filter": {"name": name, "typed_config": config}}, status)


def _by_status(api: Api, status: int) -> Json:
    comparison = {"op": "EQ", "value": _runtime(status)}
    return _mapper(api, {"status_code_filter": {"comparison": comparison}}, status)


def _by_flags(api: Api, flags: list[str], status: int) -> Json:
    return _mapper(api, {"response_flag_filter": {"flags": flags}}, status)


def _mapper(api: Api, condition: Json, status: int) -> Json:
    reply = api.reply(status)
    return {
        "filter": condition,
        "status_code": reply.status,
        "body_format_override": _body(api, reply.text),
    }


def _header(name: str, **match: object) -> Json:
    return {"header_filter": {"header": {"name": name, **match}}}

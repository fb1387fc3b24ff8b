"""Gives the errors that Envoy itself raises the shape and the texts of the API's document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy.typed import Json, typed

if TYPE_CHECKING:
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
    return {
        "mappers": [
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
        ],
        "body_format": {"json_format": {api.error_key: "%LOCAL_REPLY_BODY%"}},
    }


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
    value = {"default_value": 399, "runtime_key": "menagerie.reply.redirect"}
    return {
        "filter": {"status_code_filter": {"comparison": {"op": "LE", "value": value}}},
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _by_expression(api: Api, expression: str, status: int) -> Json:
    name = "envoy.access_loggers.extension_filters.cel"
    config = typed("cel_filter", expression=expression)
    return _mapper(api, {"extension_filter": {"name": name, "typed_config": config}}, status)


def _by_status(api: Api, status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"menagerie.reply.{status}"}
    return _mapper(api, {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}, status)


def _by_flags(api: Api, flags: list[str], status: int) -> Json:
    return _mapper(api, {"response_flag_filter": {"flags": flags}}, status)


def _mapper(api: Api, condition: Json, status: int) -> Json:
    reply = api.reply(status)
    return {
        "filter": condition,
        "status_code": reply.status,
        "body_format_override": {"json_format": {api.error_key: reply.text}},
    }


def _header(name: str, **match: object) -> Json:
    return {"header_filter": {"header": {"name": name, **match}}}

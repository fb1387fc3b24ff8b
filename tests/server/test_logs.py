from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from menagerie_server.logs import configure_logs

if TYPE_CHECKING:
    import pytest


def test_a_traceback_tells_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")

    def connect(password: str) -> None:
        raise ConnectionError(f"refused after {len(password)} letters")

    try:
        connect("open sesame")
    except ConnectionError:
        structlog.get_logger().exception("not connected")

    text = capsys.readouterr().out
    [trace] = json.loads(text)["exception"]
    assert (trace["exc_type"], trace["exc_value"]) == ("ConnectionError", "refused after 11 letters")
    assert trace["frames"][-1]["name"] == "connect"
    assert "open sesame" not in text

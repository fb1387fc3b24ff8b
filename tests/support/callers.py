"""Callers who keep a server busy, and count what they are answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server_process import ServerProcess

CALLERS = 8
PAUSE_SECONDS = 0.02
"""After a call that nobody has answered."""
NOBODY = 0
"""Counted as the status of such a call."""


@contextmanager
def callers(server: ServerProcess) -> Iterator[Counter[tuple[int, str]]]:
    """Let callers upload photographs until the end of the block, through the front door and past it.

    Yields:
        The answers so far, by their status and, where they are errors, their text.
    """
    end, answers = threading.Event(), Counter[tuple[int, str]]()

    def upload(url: str) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not end.is_set():
                request = server.photo_request()
                request.url = httpx.URL(url)
                try:
                    reply = client.send(request)
                except httpx.TransportError as error:
                    answers[NOBODY, type(error).__name__] += 1
                    time.sleep(PAUSE_SECONDS)
                else:
                    answers[reply.status_code, "" if reply.is_success else reply.text] += 1

    urls = (f"{server.species}/uploadfile/", f"{server.front_door}/species/uploadfile/")
    threads = [threading.Thread(target=upload, args=(url,)) for url in urls * (CALLERS // 2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()

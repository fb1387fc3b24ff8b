from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from menagerie_server.jobs.priority import NICENESS, give_way


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells threads apart")
def test_a_thread_gives_way_and_no_other_does() -> None:
    before = niceness()
    with ThreadPoolExecutor(1, initializer=give_way) as threads:
        assert threads.submit(niceness).result() == min(19, before + NICENESS)
    assert niceness() == before

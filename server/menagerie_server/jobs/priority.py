"""Which of a process's threads the others go before."""

from __future__ import annotations

import os
import sys
import threading

NICENESS = 10
"""Added to that of a thread, it leaves a tenth of a core that is shared, and all of an idle one."""


def give_way() -> None:
    """Let calls, the event loop and the database go before this thread; only Linux tells threads apart."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)

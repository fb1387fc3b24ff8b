from __future__ import annotations

from hypothesis import settings

# The same examples each time: a failure on one machine is a failure on every machine.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

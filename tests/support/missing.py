"""What a test does where something is missing that not every machine has."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def miss(reason: str) -> NoReturn:
    """Skip the test; where all of them must run, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

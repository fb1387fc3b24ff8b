from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.folders import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder

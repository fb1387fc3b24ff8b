"""The rows that a benchmark gives: printed as they come, and written to build/bench.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path("build/bench.json")


@dataclass(frozen=True)
class Row:
    """A figure; where there is a limit, measured in the same run or promised, their ratio too."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a share of its limit."""
        return None if self.limit is None else self.value / self.limit


def show(rows: list[Row]) -> None:
    """Print the rows."""
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        print(f"{row.name:60}{row.value:10.2f}  {row.unit:12}{limit:>9}{ratio:>8}", flush=True)


def write(rows: list[Row]) -> None:
    """Write the rows to the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=2))

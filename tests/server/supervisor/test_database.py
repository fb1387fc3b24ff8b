from __future__ import annotations

import pytest

from menagerie_server.supervisor.database import require_readable
from menagerie_server.supervisor.errors import DatabaseUrlError

PART = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{PART}@host/db",
        f"postgresql+psycopg://user:{PART}@host/db",
        f"postgres//user:{PART}@host/db",
        f"user:{PART}@host/db",
        f"postgresql://user:{PART}@host:port/db",
        f"postgresql://user:{PART}@host/db?nonsense=1",
        f"postgresql://user:{PART} host/db",
        f"postgresql://user:a%{PART}@host/db",
        # What libpq reads as another host, port or database than the one that was meant.
        f"postgresql://user:a@{PART}@host/db",
        f"postgresql://user:a/{PART}@host/db",
        f"postgresql://user:12/{PART}@host/db",
        f"host=host password={PART} nonsense",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="Percent-encode") as refusal:
        require_readable(url)
    assert PART not in str(refusal.value)
    assert refusal.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss%2Fword@host:5432/db",
        "postgresql://user@host/db?sslmode=require",
        "postgresql://user:password@one:5432,two:5433/db",
        "postgresql://user:password@[2001:db8::1]:5432/db",
        "postgresql:///db?host=%2Fvar%2Frun%2Fpostgresql",
        "postgresql://user:p?ss#word@host/db",
        "postgresql:///db?user=name@realm",
        "postgres://host",
        "host=host port=5432 dbname=db password=p@ss/word",
    ],
)
def test_a_url_that_can_be_read(url: str) -> None:
    require_readable(url)

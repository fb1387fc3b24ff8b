"""Every documented request of every document, over REST through Envoy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.contract.cases.case import answered, matches
from tests.contract.cases.coral import CASES as CORAL
from tests.contract.cases.muzzle import CASES as MUZZLE
from tests.contract.cases.nsfw import CASES as NSFW
from tests.contract.cases.species import CASES as SPECIES
from tests.contract.cases.whales import CASES as WHALES

if TYPE_CHECKING:
    from tests.contract.cases.case import Case
    from tests.support.server import RunningServer

CASES = {"whales": WHALES, "coral": CORAL, "species": SPECIES, "nsfw": NSFW, "muzzle": MUZZLE}

PENDING = pytest.mark.xfail(raises=AssertionError, strict=True, reason="its API is not served yet")


def _parameters() -> list[object]:
    return [
        pytest.param(api, case, id=f"{api}: {case.name}", marks=[PENDING] if case.pending else [])
        for api, cases in CASES.items()
        for case in cases
    ]


@pytest.mark.parametrize(("api", "case"), _parameters())
def test_a_documented_request_is_answered_as_documented(server: RunningServer, api: str, case: Case) -> None:
    with httpx.Client(base_url=server.api(api), timeout=30) as client:
        response = case.send(client)
    assert response.status_code == case.expected.status
    if case.expected.body is not ...:
        assert matches(case.expected.body, answered(response))

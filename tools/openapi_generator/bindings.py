"""The REST forms of a method, from its google.api.http rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VARIABLE = re.compile(r"\{([\w.]+)(?:=[^}]*)?\}")
"""A variable of a path, such as `{job_id}` or `{name=jobs/*}`."""

WHOLE = "*"
"""The body that is the whole request message."""


@dataclass(frozen=True)
class Binding:
    """One HTTP method and path of an RPC."""

    verb: str
    path: str
    body: str
    """The field that the body is, WHOLE, or empty."""
    answer: str
    """The field that the answer is; empty: the whole response message."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that the path carries."""
        return tuple(VARIABLE.findall(self.path))


def bindings(rule: Any, documented: Sequence[str]) -> Iterator[Binding]:  # noqa: ANN401  # google.api has no types
    """Yield the bindings of a rule in their order, at the documented paths where there are any.

    A custom verb, such as HEAD beside GET, says nothing that its neighbour does not, and is left out.

    Raises:
        ValueError: where there are documented paths, but not as many as bindings.
    """
    rules = [one for one in (rule, *rule.additional_bindings) if one.WhichOneof("pattern")]
    if documented and len(documented) != len(rules):
        raise ValueError(f"{len(documented)} documented paths for {len(rules)} bindings: {list(documented)}")
    for number, one in enumerate(rules):
        verb = one.WhichOneof("pattern")
        if verb != "custom":
            path = documented[number] if documented else VARIABLE.sub(r"{\1}", getattr(one, verb))
            yield Binding(verb=verb, path=path, body=one.body, answer=one.response_body)

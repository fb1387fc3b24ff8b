"""What is said between a worker and the process that talks to Gemini for it: one JSON object a line."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr, field_serializer

from menagerie_server.apis.species.gemini.spool import Extent


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """Return this as a line."""
        return self.model_dump_json().encode() + b"\n"


class Connection(_Message):
    """The first line: how to reach Gemini."""

    key: SecretStr
    base_url: str
    seconds: float
    attempts: int
    retry_seconds: float

    @field_serializer("key", when_used="json")
    def _reveal(self, key: SecretStr) -> str:
        return key.get_secret_value()


class Question(_Message):
    """What is asked about one image."""

    model: str
    text: str
    schema_text: str
    media_type: str
    image: Extent


class Call(_Message):
    """Every other line: a question under a number, or without one the end of all interest in its answer."""

    number: int
    question: Question | None = None


class Answer(_Message):
    """What Gemini said, and the name of the model that said it; empty where it was not named."""

    text: str
    model_version: str = ""


class Failure(_Message):
    """Why Gemini said nothing; for the log alone."""

    reason: str
    overloaded: bool = False


class Reply(_Message):
    """What became of the call of a number."""

    number: int
    outcome: Answer | Failure


class CallFailed(Exception):
    """Raised when Gemini gave no answer. The text is for the log alone."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure

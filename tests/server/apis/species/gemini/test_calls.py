from __future__ import annotations

from pydantic import SecretStr

from menagerie_server.apis.species.gemini.calls import Answer, Call, Connection, Failure, Question, Reply
from menagerie_server.apis.species.gemini.spool import Extent

CONNECTION = Connection(
    key=SecretStr("the key"), base_url="http://localhost", seconds=1, attempts=3, retry_seconds=0.5
)
QUESTION = Question(
    model="m",
    text="Où?\n",
    schema_text='{"type": "object"}',
    media_type="image/png",
    image=Extent("/proc/1/fd/2", 3, 4),
)


def test_every_message_comes_back_from_its_line() -> None:
    assert Connection.model_validate_json(CONNECTION.line()) == CONNECTION
    for call in (Call(number=1, question=QUESTION), Call(number=2)):
        assert Call.model_validate_json(call.line()) == call
    for outcome in (Answer(text="deer\n"), Failure(reason="?", overloaded=True)):
        reply = Reply(number=3, outcome=outcome)
        assert Reply.model_validate_json(reply.line()) == reply


def test_a_message_is_one_line() -> None:
    assert Call(number=1, question=QUESTION).line().count(b"\n") == 1


def test_the_key_is_in_the_line_and_nowhere_else() -> None:
    assert b"the key" in CONNECTION.line()
    assert "the key" not in repr(CONNECTION)

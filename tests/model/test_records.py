"""What an event says beside its text: the session that starts, the words of a program; any text is taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.records import Event, EventKind
from inspector.model.spec import SessionSpec

pytestmark = pytest.mark.quick


def event(kind: EventKind, **fields: str) -> Event:
    return Event(0, kind, "It happens.", fields=tuple(fields.items()))


def test_what_the_agent_writes_is_read() -> None:
    spec = SessionSpec(kind="udp", wire="held")
    assert event("session-started", session=json.dumps(spec.to_json())).session == spec
    assert event("program-started", command=json.dumps(["ls", "-l"])).command == ("ls", "-l")


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_text_gives_words_or_none(text: str) -> None:
    words = event("program-started", command=text).command
    assert all(isinstance(word, str) for word in words)
    session = event("session-started", session=text).session
    assert session is None or isinstance(session, SessionSpec)
